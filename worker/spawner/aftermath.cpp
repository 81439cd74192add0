#include "worker/spawner/aftermath.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "worker/spawner/descriptor.hpp"
#include "worker/spawner/launch.hpp"

namespace taskpipe::worker {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kInspectionLimit{2500};
// What a runtime that lost its client may need to make the container that nobody waits for.
constexpr milliseconds kLateContainerLimit{2000};
constexpr milliseconds kPause{200};
constexpr std::size_t kMaxOutputBytes = 4096;
// As the clients write the start of what never was started.
constexpr std::string_view kNeverStarted = "0001-01-01";

// One stream of a command.
struct Stream {
  Descriptor ours;
  Descriptor theirs;
  std::string text;
};

struct Answer {
  bool fine = false;  // exit code 0, in time
  std::string output;
  std::string errors;
};

bool open(Stream& stream) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return false;
  stream.ours.reset(pipe[0]);
  stream.theirs.reset(pipe[1]);
  return ::fcntl(pipe[0], F_SETFL, O_NONBLOCK) == 0;
}

// Appends what is there; closes at the end of the stream.
void drain(Stream& stream) {
  std::array<char, 1024> buffer{};
  while (stream.ours.valid()) {
    const ssize_t got = ::read(stream.ours.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return;
    if (got == 0) return stream.ours.reset();
    stream.text.append(buffer.data(), std::min(static_cast<std::size_t>(got),
                                               kMaxOutputBytes - stream.text.size()));
  }
}

// Reads both streams meanwhile. False when the time is over first.
bool wait_for_end(const Descriptor& process, Stream& out, Stream& err, Clock::time_point deadline) {
  bool ended = false;
  while (!ended && process.valid()) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) break;
    std::array<pollfd, 3> fds = {pollfd{process.get(), POLLIN, 0},
                                 pollfd{out.ours.get(), POLLIN, 0},
                                 pollfd{err.ours.get(), POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), static_cast<int>(left)) < 0) {
      if (errno != EINTR) break;
      continue;
    }
    drain(out);
    drain(err);
    ended = fds[0].revents != 0;
  }
  drain(out);
  drain(err);
  return ended;
}

Answer run(const spawn_message::Spawn& spawn, const std::vector<std::string>& argv,
           const AftermathContext& context, Clock::time_point deadline) {
  Answer answer;
  Stream out;
  Stream err;
  if (!open(out) || !open(err)) return answer;
  spawn_message::Spawn command;
  command.argv = argv;
  command.environment = spawn.environment;
  command.directory = "/";
  LaunchContext launching;
  launching.stdout_fd = out.theirs.get();
  launching.stderr_fd = err.theirs.get();
  launching.open_files = context.open_files;
  launching.search_path = context.search_path;
  const LaunchResult launched = launch(command, launching);
  out.theirs.reset();
  err.theirs.reset();
  if (launched.stage != SpawnStage::none) return answer;
  const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, launched.pid, 0)));
  const bool ended = wait_for_end(process, out, err, deadline);
  if (!ended) ::kill(launched.pid, SIGKILL);
  int status = 0;
  while (::waitpid(launched.pid, &status, 0) < 0 && errno == EINTR) {
  }
  answer.fine = ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  answer.output = std::move(out.text);
  answer.errors = std::move(err.text);
  return answer;
}

bool says_there_is_none(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text.find("no such container") != std::string::npos;
}

// What cannot be read as an answer leaves everything unknown.
void inspect(const spawn_message::Spawn& spawn, const AftermathContext& context, Aftermath& out) {
  const Answer answer = run(spawn, spawn.inspection, context, Clock::now() + kInspectionLimit);
  if (!answer.fine) {
    if (says_there_is_none(answer.errors)) out.started = ContainerStart::never;
    return;
  }
  std::string_view text = answer.output;
  const bool killed = text.starts_with("true ");
  if (!killed && !text.starts_with("false ")) return;
  out.out_of_memory = killed;
  text.remove_prefix(text.find(' ') + 1);
  if (text.starts_with(kNeverStarted)) {
    out.started = ContainerStart::never;
  } else if (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    out.started = ContainerStart::started;
  }
}

}  // namespace

Aftermath clear_container(const spawn_message::Spawn& spawn, const AftermathContext& context) {
  Aftermath result;
  const auto began = Clock::now();
  const auto deadline = began + milliseconds(kAftermathMs);
  // Of one whose client was killed nothing has to be known, and it may still run.
  if (!spawn.inspection.empty() && !context.client_killed && !context.client_succeeded) {
    inspect(spawn, context, result);
  }
  while (true) {
    const Answer answer = run(spawn, spawn.removal, context, deadline);
    const bool none = says_there_is_none(answer.output + answer.errors);
    if (answer.fine && !none) return result;
    if (none && (!context.client_killed || Clock::now() - began > kLateContainerLimit)) {
      return result;
    }
    if (Clock::now() + kPause > deadline) break;
    std::this_thread::sleep_for(kPause);
  }
  result.left = true;
  return result;
}

}  // namespace taskpipe::worker
