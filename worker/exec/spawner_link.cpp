#include "worker/exec/spawner_link.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <span>
#include <system_error>
#include <utility>

#include "common/model/limits.hpp"
#include "worker/spawner/descriptor_passing.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX leaves it to the user

namespace taskpipe::worker {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kReadBytes = 64U << 10U;
constexpr int kSocketInSpawner = 3;
constexpr int kLifelineInSpawner = 4;

Error start_error(const SpawnerOptions& options, const std::string& why) {
  return {ErrorCode::unsupported, "cannot start '" + options.program + "': " + why, "spawner"};
}

std::string errno_text(int error) { return std::generic_category().message(error); }

bool wait_readable(int fd, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() < 0) return false;
    pollfd poll{fd, POLLIN, 0};
    const int ready = ::poll(&poll, 1, static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

std::string describe_end(int status) {
  if (WIFSIGNALED(status)) {
    const char* name = ::sigabbrev_np(WTERMSIG(status));
    return std::string("was killed by SIG") + (name != nullptr ? name : "?");
  }
  return "exited with code " + std::to_string(WEXITSTATUS(status));
}

// Owns the C structures of posix_spawn.
class SpawnSetup {
 public:
  SpawnSetup() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
  ~SpawnSetup() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }
  int give(int fd, int as) { return ::posix_spawn_file_actions_adddup2(&actions_, fd, as); }
  int run(const std::string& program, char* const* argv, pid_t& pid) {
    sigset_t none;
    ::sigemptyset(&none);
    sigset_t all;
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return ::posix_spawn(&pid, program.c_str(), &actions_, &attributes_, argv, environ);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// Above the numbers that the spawner expects, so that placing one cannot overwrite another.
Descriptor move_up(int fd) {
  Descriptor low(fd);
  return Descriptor(::fcntl(fd, F_DUPFD_CLOEXEC, kLifelineInSpawner + 1));
}

}  // namespace

tl::expected<std::unique_ptr<SpawnerLink>, Error> SpawnerLink::start(
    const SpawnerOptions& options) {
  std::unique_ptr<SpawnerLink> link(new SpawnerLink);
  if (auto launched = link->launch(options); !launched) return tl::unexpected(launched.error());
  if (auto ready = link->await_ready(options); !ready) return tl::unexpected(ready.error());
  return link;
}

tl::expected<void, Error> SpawnerLink::launch(const SpawnerOptions& options) {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return tl::unexpected(start_error(options, errno_text(errno)));
  }
  socket_ = move_up(pair[0]);
  const Descriptor their_socket = move_up(pair[1]);
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
    return tl::unexpected(start_error(options, errno_text(errno)));
  }
  lifeline_ = move_up(pipe[0]);
  const Descriptor their_lifeline = move_up(pipe[1]);
  if (!socket_.valid() || !their_socket.valid() || !lifeline_.valid() || !their_lifeline.valid()) {
    return tl::unexpected(start_error(options, errno_text(errno)));
  }
  std::vector<std::string> arguments = {options.program,
                                        "--socket",
                                        std::to_string(kSocketInSpawner),
                                        "--lifeline",
                                        std::to_string(kLifelineInSpawner),
                                        "--memory-control",
                                        options.memory_control};
  if (!options.cgroup_parent.empty()) {
    arguments.emplace_back("--cgroup-parent");
    arguments.push_back(options.cgroup_parent);
  }
  if (options.run_as) {
    arguments.emplace_back("--run-as");
    arguments.push_back(to_text(*options.run_as));
  }
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  SpawnSetup setup;
  int error = setup.give(their_socket.get(), kSocketInSpawner);
  if (error == 0) error = setup.give(their_lifeline.get(), kLifelineInSpawner);
  if (error == 0) error = setup.run(options.program, argv.data(), pid_);
  if (error != 0) {
    pid_ = -1;
    return tl::unexpected(
        start_error(options, errno_text(error) + (error == ENOENT ? " (it is installed beside "
                                                                    "taskpipe-worker)"
                                                                  : "")));
  }
  return {};
}

tl::expected<void, Error> SpawnerLink::await_ready(const SpawnerOptions& options) {
  const auto deadline = Clock::now() + std::chrono::milliseconds(limits::kSpawnerStartMs);
  std::vector<SpawnMessage> messages;
  while (messages.empty()) {
    if (!wait_readable(socket_.get(), deadline)) {
      return tl::unexpected(start_error(options, "it did not report ready in time"));
    }
    if (!receive(messages)) {
      return tl::unexpected(
          start_error(options, "it " + wait_until_gone(Millis(limits::kSpawnerEndMs)) +
                                   " before it was ready (see its message on stderr)"));
    }
  }
  const auto* ready = std::get_if<spawn_message::Ready>(&messages.front());
  if (ready == nullptr || ready->version != kSpawnProtocolVersion) {
    return tl::unexpected(start_error(options, "it belongs to another version of the worker"));
  }
  memory_control_ = ready->memory_control;
  return {};
}

SpawnerLink::~SpawnerLink() { wait_until_gone(Millis(limits::kSpawnerEndMs)); }

void SpawnerLink::spawn(const spawn_message::Spawn& spawn, Descriptor stdout_end,
                        Descriptor stderr_end) {
  outgoing_.push_back({encode(spawn), 0, {std::move(stdout_end), std::move(stderr_end)}});
}

void SpawnerLink::stop(const spawn_message::Stop& stop) {
  outgoing_.push_back({encode(stop), 0, {}});
}

ssize_t SpawnerLink::send_front() {
  Outgoing& front = outgoing_.front();
  const std::span<const char> rest = std::span(front.bytes).subspan(front.sent);
  const std::array<int, kSpawnDescriptors> descriptors = {front.descriptors[0].get(),
                                                          front.descriptors[1].get()};
  const bool with = front.sent == 0 && front.descriptors[0].valid();
  return send_with(socket_.get(), rest,
                   with ? std::span<const int>(descriptors) : std::span<const int>(), MSG_DONTWAIT);
}

bool SpawnerLink::flush() {
  while (!outgoing_.empty()) {
    const ssize_t sent = send_front();
    if (sent < 0 && errno == EINTR) continue;
    // ETOOMANYREFS: too many descriptors in flight; they leave as the spawner takes them.
    if (sent < 0) return errno == EAGAIN || errno == ETOOMANYREFS;
    Outgoing& front = outgoing_.front();
    front.sent += static_cast<std::size_t>(sent);
    for (Descriptor& descriptor : front.descriptors) descriptor.reset();
    if (front.sent == front.bytes.size()) outgoing_.pop_front();
  }
  return true;
}

bool SpawnerLink::receive(std::vector<SpawnMessage>& out) {
  const auto space = reader_.space(kReadBytes);
  const ssize_t got = ::recv(socket_.get(), space.data(), space.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got <= 0) return false;
  reader_.commit(static_cast<std::size_t>(got));
  while (true) {
    SpawnMessage message;
    switch (reader_.next(message)) {
      case FrameReader::Status::message: out.push_back(std::move(message)); break;
      case FrameReader::Status::need_more: return true;
      case FrameReader::Status::corrupt: return false;
    }
  }
}

std::string SpawnerLink::wait_until_gone(Millis limit) {
  outgoing_.clear();
  socket_.reset();
  if (pid_ < 0) return ending_;
  const bool gone = wait_readable(lifeline_.get(), Clock::now() + limit);
  if (!gone) ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  ending_ = describe_end(status);
  return ending_;
}

}  // namespace taskpipe::worker
