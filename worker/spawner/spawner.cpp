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
#include <cstring>
#include <iterator>
#include <system_error>
#include <utility>

#include "worker/spawner/aftermath.hpp"
#include "worker/spawner/guard.hpp"
#include "worker/spawner/process_tree.hpp"

namespace taskpipe::worker {
namespace {

// Tags of epoll; runs are numbered from 1 upwards.
constexpr std::uint64_t kWorkerTag = UINT64_MAX;
constexpr std::uint64_t kSignalTag = UINT64_MAX - 1;
constexpr std::size_t kReadBytes = 64U << 10U;
constexpr int kStrayPauseMs = 5;
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
  const auto space = reader_.space(kReadBytes);
  iovec part{space.data(), space.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kSpawnDescriptors * 4)> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return on_worker_gone();
  accept_descriptors(header);
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

// One call brings the descriptors of one SPAWN at most: the kernel never joins two such sets. A set
// that found no room (out of descriptors) still takes its place in the queue.
void Spawner::accept_descriptors(msghdr& header) {
  Accompaniment received;
  bool any = (header.msg_flags & MSG_CTRUNC) != 0;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    any = true;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
      received.emplace_back(fd);
    }
  }
  if (any) accompaniments_.push_back(std::move(received));
}

void Spawner::on_message(SpawnMessage message) {
  if (const auto* spawn = std::get_if<spawn_message::Spawn>(&message)) return on_spawn(*spawn);
  const auto* stop = std::get_if<spawn_message::Stop>(&message);
  if (stop == nullptr) return;
  const auto guard = guards_.find(stop->run);
  if (guard == guards_.end() || !guard->second.socket.valid()) return;  // it has ended meanwhile
  const std::string packet = encode(message);
  ::send(guard->second.socket.get(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Spawner::on_spawn(const spawn_message::Spawn& spawn) {
  Accompaniment descriptors;
  if (!accompaniments_.empty()) {
    descriptors = std::move(accompaniments_.front());
    accompaniments_.pop_front();
  }
  if (descriptors.size() != kSpawnDescriptors) {
    return refuse(spawn.run, SpawnStage::output, EMFILE);
  }
  if (spawn.argv.empty() || guards_.contains(spawn.run)) {
    return refuse(spawn.run, SpawnStage::exec, EINVAL);
  }
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return refuse(spawn.run, SpawnStage::guard, errno);
  }
  Descriptor ours(pair[0]);
  const Descriptor theirs(pair[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return refuse(spawn.run, SpawnStage::guard, errno);
  if (pid == 0) {
    GuardInheritance inherited{
        theirs.get(), descriptors[0].get(), descriptors[1].get(),         lifeline_.get(),
        open_files_,  search_path_,         run_as_ ? &*run_as_ : nullptr};
    Guard(spawn, std::move(inherited), *driver_).run();
    ::_exit(0);
  }
  watch(ours.get(), spawn.run);
  runs_by_pid_.emplace(pid, spawn.run);
  GuardRecord guard;
  guard.pid = pid;
  guard.socket = std::move(ours);
  if (!spawn.removal.empty()) {
    guard.container = std::make_unique<spawn_message::Spawn>();
    guard.container->environment = spawn.environment;
    guard.container->removal = spawn.removal;
  }
  guards_.emplace(spawn.run, std::move(guard));
}

void Spawner::refuse(RunNumber run, SpawnStage stage, int error) {
  send(spawn_message::SpawnFailed{run, stage, error, ""});
}

void Spawner::on_guard(RunNumber run) {
  const auto found = guards_.find(run);
  if (found == guards_.end() || !found->second.socket.valid()) return;
  GuardRecord& guard = found->second;
  std::array<char, kMaxSpawnTextBytes * 2> packet{};
  while (true) {
    const ssize_t got = ::recv(guard.socket.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return flush();
    if (got <= 0) break;
    const std::string_view frame(packet.data(), static_cast<std::size_t>(got));
    const auto message = decode_frame(frame);
    if (!message) continue;
    guard.ended = guard.ended || !std::holds_alternative<spawn_message::Spawned>(*message);
    outgoing_.append(frame);
  }
  flush();
  guard.socket.reset();
  settle(run);
}

void Spawner::on_worker_gone() {
  worker_gone_ = true;
  socket_.reset();
  accompaniments_.clear();
  shutdown_deadline_ = Clock::now() + std::chrono::milliseconds(kGuardShutdownMs);
  bool allow_for_aftermath = false;
  // End-of-file tells each guard to kill everything.
  for (auto at = guards_.begin(); at != guards_.end();) {
    GuardRecord& guard = at->second;
    guard.socket.reset();
    if (guard.container != nullptr) allow_for_aftermath = true;
    if (guard.reaped && !guard.ended) lose(at->first, guard);
    at = guard.reaped && guard.ended ? guards_.erase(at) : std::next(at);
  }
  if (allow_for_aftermath) shutdown_deadline_ += std::chrono::milliseconds(kAftermathMs);
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
    const auto found = runs_by_pid_.find(pid);
    if (found == runs_by_pid_.end()) continue;  // something that a killed guard left behind
    const RunNumber run = found->second;
    runs_by_pid_.erase(found);
    GuardRecord& guard = guards_.at(run);
    guard.reaped = true;
    guard.died = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    if (guard.cleaning) guard.container_left = guard.died;
    settle(run);
  }
}

// Forgets a guard that is gone for good, or notes that it left without a report.
void Spawner::settle(RunNumber run) {
  const auto found = guards_.find(run);
  GuardRecord& guard = found->second;
  if (!guard.reaped || guard.socket.valid()) return;
  // Without a worker there are no reports: one that ended well had nothing left.
  if (worker_gone_ ? guard.died : !guard.ended) return lose(run, guard);
  guards_.erase(found);
}

void Spawner::lose(RunNumber run, GuardRecord& guard) {
  if (std::exchange(guard.lost, true)) return;
  lost_.push_back(run);
}

void Spawner::clear_strays() {
  const auto spared = guard_pids();
  signal_descendants(SIGKILL, spared);
  reap();
  if (!list_descendants(spared).empty()) return;  // again in kStrayPauseMs
  for (const RunNumber run : std::exchange(lost_, {})) {
    driver_->discard(run);
    const auto found = guards_.find(run);
    if (found == guards_.end() || start_cleaner(run, found->second)) continue;
    spawn_message::Exited end;
    end.run = run;
    end.guard_lost = true;
    // Still there when no cleaner could be forked.
    end.container_left = found->second.container_left || found->second.container != nullptr;
    send(end);
    guards_.erase(found);
  }
}

// A process that does what the lost guard cannot do any more, in its place in the books. Its exit
// code tells whether it could.
bool Spawner::start_cleaner(RunNumber run, GuardRecord& guard) {
  if (guard.container == nullptr) return false;
  const pid_t pid = ::fork();
  if (pid < 0) return false;
  if (pid == 0) {
    const std::array<int, 1> keep = {lifeline_.get()};
    close_all_except(keep);
    AftermathContext context;
    context.search_path = search_path_;
    context.open_files = open_files_;
    context.client_killed = true;
    ::_exit(clear_container(*guard.container, context).left ? EXIT_FAILURE : EXIT_SUCCESS);
  }
  guard.container.reset();
  guard.cleaning = true;
  guard.pid = pid;
  guard.reaped = guard.died = guard.lost = false;
  runs_by_pid_.emplace(pid, run);
  if (worker_gone_) shutdown_deadline_ = Clock::now() + std::chrono::milliseconds(2 * kAftermathMs);
  return true;
}

void Spawner::end_overdue_guards() {
  if (Clock::now() < shutdown_deadline_) return;
  // A guard that is stopped or stuck: its attempt becomes ours to kill.
  for (const pid_t pid : guard_pids()) ::kill(pid, SIGKILL);
}

std::vector<pid_t> Spawner::guard_pids() const {
  std::vector<pid_t> pids;
  pids.reserve(runs_by_pid_.size());
  for (const auto& [pid, run] : runs_by_pid_) pids.push_back(pid);
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
