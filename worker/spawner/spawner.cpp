#include "worker/spawner/spawner.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "worker/spawner/descriptor_passing.hpp"
#include "worker/spawner/guard_process.hpp"

namespace taskpipe::worker {
namespace {

// Tags of epoll, beside the numbers of guards.
constexpr std::uint64_t kWorkerTag = UINT64_MAX;
constexpr std::uint64_t kSignalTag = UINT64_MAX - 1;
constexpr std::size_t kReadBytes = 64U << 10U;
constexpr int kEventsPerTurn = 64;

[[noreturn]] void throw_errno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// The limit that the spawner was started with is what attempts get; its own is raised to the hard
// one, since it holds a socket per attempt.
rlimit raise_open_files() {
  rlimit inherited{};
  if (::getrlimit(RLIMIT_NOFILE, &inherited) != 0) throw_errno("getrlimit");
  rlimit raised = inherited;
  raised.rlim_cur = raised.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &raised);
  return inherited;
}

}  // namespace

Spawner::Spawner(Descriptor socket, Descriptor lifeline, std::unique_ptr<CgroupDriver> driver,
                 std::optional<Credentials> run_as)
    : socket_(std::move(socket)),
      lifeline_(std::move(lifeline)),
      driver_(std::move(driver)),
      run_as_(std::move(run_as)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      open_files_(raise_open_files()) {
  if (!epoll_.valid()) throw_errno("epoll_create1");
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) throw_errno("PR_SET_CHILD_SUBREAPER");
  if (const char* path = std::getenv("PATH")) search_path_ = path;
  sigset_t all;
  ::sigfillset(&all);
  if (::sigprocmask(SIG_SETMASK, &all, nullptr) != 0) throw_errno("sigprocmask");
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  signals_.reset(::signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals_.valid()) throw_errno("signalfd");
  // An inherited SIG_IGN would let children vanish unreaped.
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(SIGCHLD, &action, nullptr);
  watch(socket_.get(), kWorkerTag);
  watch(signals_.get(), kSignalTag);
}

void Spawner::run() {
  send(spawn_message::Ready{kSpawnProtocolVersion, std::string(driver_->name())});
  std::array<epoll_event, kEventsPerTurn> events{};
  while (!finished()) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsPerTurn, poll_timeout_ms());
    for (int i = 0; i < count; ++i) on_ready(events[static_cast<std::size_t>(i)].data.u64);
    if (!lost_.empty()) clear_strays();
    if (worker_gone_) end_overdue_guards();
  }
}

void Spawner::watch(int fd, std::uint64_t tag, bool writable) {
  epoll_event event{};
  event.events = writable ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return;
  if (errno != EEXIST || ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) {
    throw_errno("epoll_ctl");
  }
}

void Spawner::on_ready(std::uint64_t tag) {
  if (tag == kWorkerTag) {
    if (worker_gone_) return;
    flush();
    if (!worker_gone_) receive();
  } else if (tag == kSignalTag) {
    reap();
  } else {
    on_guard(tag);
  }
}

void Spawner::receive() {
  // One call brings the descriptors of one SPAWN at most: the kernel never joins two such sets.
  ReceivedDescriptors descriptors;
  const auto space = reader_.space(kReadBytes);
  const ssize_t got = receive_with(socket_.get(), space, descriptors, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return on_worker_gone();
  if (descriptors.any) accompaniments_.push_back(std::move(descriptors.all));
  reader_.commit(static_cast<std::size_t>(got));
  SpawnMessage message;
  while (!worker_gone_) {
    switch (reader_.next(message)) {
      case FrameReader::Status::message: on_message(std::move(message)); break;
      case FrameReader::Status::need_more: return;
      case FrameReader::Status::corrupt: return on_worker_gone();
    }
  }
}

void Spawner::on_message(SpawnMessage message) {
  if (auto* spawn = std::get_if<spawn_message::Spawn>(&message)) return on_spawn(std::move(*spawn));
  const auto* stop = std::get_if<spawn_message::Stop>(&message);
  if (stop == nullptr) return;
  const auto number = guard_of_.find(stop->run);
  if (number == guard_of_.end()) return;  // it has ended meanwhile
  const GuardRecord& guard = guards_.at(number->second);
  if (!guard.socket.valid()) return;
  (void)send_with(guard.socket.get(), encode(message), {}, MSG_DONTWAIT);
}

void Spawner::on_spawn(spawn_message::Spawn spawn) {
  Accompaniment output;
  if (!accompaniments_.empty()) {
    output = std::move(accompaniments_.front());
    accompaniments_.pop_front();
  }
  if (output.size() != kSpawnDescriptors) return refuse(spawn.run, SpawnStage::output, EMFILE);
  if (spawn.run == kNoRun || spawn.argv.empty() || guard_of_.contains(spawn.run)) {
    return refuse(spawn.run, SpawnStage::exec, EINVAL);
  }
  GuardRecord* guard = use_idle_guard(spawn, output);
  if (guard == nullptr) guard = fork_guard(spawn, std::move(output));
  if (guard == nullptr) return refuse(spawn.run, SpawnStage::guard, errno);
  guard->run = spawn.run;
  if (spawn.removal.empty()) return;
  guard->container = std::make_unique<spawn_message::Spawn>();
  guard->container->environment = std::move(spawn.environment);
  guard->container->removal = std::move(spawn.removal);
}

// Null when none can take it.
Spawner::GuardRecord* Spawner::use_idle_guard(const spawn_message::Spawn& spawn,
                                              const Accompaniment& output) {
  if (idle_.empty() || encoded_bytes(spawn) > kMaxGuardPacketBytes) return nullptr;
  const std::string frame = encode(spawn);
  while (!idle_.empty()) {
    const GuardNumber number = idle_.back();
    idle_.pop_back();
    GuardRecord& guard = guards_.at(number);
    if (assign(guard.socket.get(), frame, output[0], output[1])) {
      guard_of_.emplace(spawn.run, number);
      return &guard;
    }
    // It is dead; or the kernel refuses, and it sees the end of its socket and goes.
    guard.socket.reset();
    settle(number);
  }
  return nullptr;
}

// Null with errno when it fails.
Spawner::GuardRecord* Spawner::fork_guard(spawn_message::Spawn& spawn, Accompaniment output) {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) return nullptr;
  Descriptor ours(pair[0]);
  const Descriptor theirs(pair[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return nullptr;
  if (pid == 0) {
    GuardInheritance inherited{theirs.get(), lifeline_.get(), open_files_, search_path_,
                               run_as_ ? &*run_as_ : nullptr};
    GuardProcess(std::move(inherited), *driver_)
        .run(std::move(spawn), {std::move(output[0]), std::move(output[1])});
    ::_exit(0);
  }
  const GuardNumber number = next_guard_++;
  watch(ours.get(), number);
  guards_by_pid_.emplace(pid, number);
  guard_of_.emplace(spawn.run, number);
  GuardRecord& guard = guards_[number];
  guard.pid = pid;
  guard.socket = std::move(ours);
  return &guard;
}

void Spawner::refuse(RunNumber run, SpawnStage stage, int error) {
  send(spawn_message::SpawnFailed{run, stage, error, ""});
}

void Spawner::on_guard(GuardNumber number) {
  const auto found = guards_.find(number);
  if (found == guards_.end() || !found->second.socket.valid()) return;
  GuardRecord& guard = found->second;
  std::array<char, kMaxSpawnTextBytes * 2> packet{};
  const ssize_t got = ::recv(guard.socket.get(), packet.data(), packet.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) {
    guard.socket.reset();
    return settle(number);
  }
  const std::string_view frame(packet.data(), static_cast<std::size_t>(got));
  const auto message = decode_frame(frame);
  if (!message) {
    // It may have been the report: the guard sees the end of its socket, goes, and is lost.
    guard.socket.reset();
    return settle(number);
  }
  outgoing_.append(frame);
  if (!std::holds_alternative<spawn_message::Spawned>(*message)) {
    const auto* failed = std::get_if<spawn_message::SpawnFailed>(&*message);
    // One that could not prepare itself exits.
    on_attempt_over(number, guard, failed == nullptr || failed->stage != SpawnStage::guard);
  }
  flush();
}

void Spawner::reap() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) > 0) {
  }
  while (true) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return;
    const auto found = guards_by_pid_.find(pid);
    if (found == guards_by_pid_.end()) continue;  // something that a killed guard left behind
    const GuardNumber number = found->second;
    guards_by_pid_.erase(found);
    GuardRecord& guard = guards_.at(number);
    guard.reaped = true;
    guard.died = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    if (guard.cleaning) guard.container_left = guard.died;
    settle(number);
  }
}

std::vector<pid_t> Spawner::guard_pids() const {
  std::vector<pid_t> pids;
  pids.reserve(guards_by_pid_.size());
  for (const auto& [pid, number] : guards_by_pid_) pids.push_back(pid);
  return pids;
}

bool Spawner::finished() const { return worker_gone_ && guards_.empty() && lost_.empty(); }

int Spawner::poll_timeout_ms() const {
  if (!lost_.empty()) return kStrayPauseMs;
  if (!worker_gone_) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(shutdown_deadline_ - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), kStrayPauseMs, kGuardShutdownMs));
}

void Spawner::send(const SpawnMessage& message) {
  outgoing_ += encode(message);
  flush();
}

void Spawner::flush() {
  if (worker_gone_) return outgoing_.clear();
  while (!outgoing_.empty()) {
    const ssize_t sent =
        ::send(socket_.get(), outgoing_.data(), outgoing_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    // The worker is gone. Its hang-up is an event of its own, which finds the books as they are:
    // callers of this hold records that on_worker_gone would forget.
    if (sent < 0 && errno != EAGAIN) return outgoing_.clear();
    if (sent < 0) break;
    outgoing_.erase(0, static_cast<std::size_t>(sent));
  }
  const bool pending = !outgoing_.empty();
  if (pending == awaits_writable_) return;
  awaits_writable_ = pending;
  watch(socket_.get(), kWorkerTag, pending);
}

}  // namespace taskpipe::worker
