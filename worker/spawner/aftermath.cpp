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

struct Answer {
  bool fine = false;
  std::string output;  // both streams
};

// Appends what is there; false at the end of the stream.
bool drain(int fd, std::string& out) {
  std::array<char, 1024> buffer{};
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0;
    out.append(buffer.data(),
               std::min(static_cast<std::size_t>(got), kMaxOutputBytes - out.size()));
  }
}

Answer run(const spawn_message::Spawn& spawn, const std::vector<std::string>& argv,
           const AftermathContext& context, Clock::time_point deadline) {
  Answer answer;
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return answer;
  Descriptor ours(pipe[0]);
  Descriptor theirs(pipe[1]);
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  spawn_message::Spawn command;
  command.argv = argv;
  command.environment = spawn.environment;
  command.directory = "/";
  LaunchContext launching;
  launching.stdout_fd = theirs.get();
  launching.stderr_fd = theirs.get();
  launching.open_files = context.open_files;
  launching.search_path = context.search_path;
  const LaunchResult launched = launch(command, launching);
  theirs.reset();
  if (launched.stage != SpawnStage::none) return answer;
  const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, launched.pid, 0)));
  bool ended = false;
  while (!ended && process.valid()) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) break;
    std::array<pollfd, 2> fds = {pollfd{process.get(), POLLIN, 0}, pollfd{ours.get(), POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), static_cast<int>(left)) < 0 && errno != EINTR) break;
    if (ours.valid() && fds[1].revents != 0 && !drain(ours.get(), answer.output)) ours.reset();
    ended = fds[0].revents != 0;
  }
  if (ours.valid()) drain(ours.get(), answer.output);
  if (!ended) ::kill(launched.pid, SIGKILL);
  int status = 0;
  while (::waitpid(launched.pid, &status, 0) < 0 && errno == EINTR) {
  }
  answer.fine = ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return answer;
}

bool says_there_is_none(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text.find("no such container") != std::string::npos;
}

void inspect(const spawn_message::Spawn& spawn, const AftermathContext& context, Aftermath& out) {
  const Answer answer = run(spawn, spawn.inspection, context, Clock::now() + kInspectionLimit);
  if (!answer.fine) return;
  std::string_view text = answer.output;
  // Remarks of the client may come before.
  while (text.find('\n') < text.size() - 1) text.remove_prefix(text.find('\n') + 1);
  out.out_of_memory = text.starts_with("true ");
  out.started = text.find(' ') != std::string_view::npos &&
                !text.substr(text.find(' ') + 1).starts_with(kNeverStarted);
}

}  // namespace

Aftermath clear_container(const spawn_message::Spawn& spawn, const AftermathContext& context) {
  Aftermath result;
  const auto began = Clock::now();
  const auto deadline = began + milliseconds(kAftermathMs);
  // Of one whose client was killed nothing has to be known, and it may still run.
  if (!spawn.inspection.empty() && !context.client_killed) inspect(spawn, context, result);
  while (true) {
    const Answer answer = run(spawn, spawn.removal, context, deadline);
    const bool none = says_there_is_none(answer.output);
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
