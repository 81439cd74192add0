#include "worker/spawner/guard.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "worker/spawner/aftermath.hpp"
#include "worker/spawner/launch.hpp"
#include "worker/spawner/process_tree.hpp"

namespace taskpipe::worker {
namespace {

constexpr std::chrono::milliseconds kMaxKillPause{100};

std::uint64_t microseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000U +
         static_cast<std::uint64_t>(time.tv_usec);
}

}  // namespace

Guard::Guard(const spawn_message::Spawn& spawn, OutputEnds output,
             const GuardInheritance& inherited, const Descriptor& signals, CgroupDriver& driver)
    : spawn_(spawn),
      output_(std::move(output)),
      inherited_(inherited),
      signals_(signals),
      driver_(driver) {
  end_.run = spawn.run;
}

void Guard::run() {
  if (!make_group() || !start_main_process()) return;
  supervise();
  end_container();
  report_end();
}

bool Guard::make_group() {
  if (spawn_.memory_limit_bytes == 0) return true;
  int error = 0;
  cgroup_ = driver_.create(spawn_.run, spawn_.memory_limit_bytes, error);
  if (error != 0) fail(SpawnStage::cgroup, error, std::string(driver_.name()));
  return error == 0;
}

bool Guard::start_main_process() {
  LaunchContext context;
  context.stdout_fd = output_.out.get();
  context.stderr_fd = output_.err.get();
  if (cgroup_ != nullptr) context.cgroup_entrances = cgroup_->entrances();
  context.limit_address_space = driver_.limits_address_space();
  context.open_files = inherited_.open_files;
  context.search_path = inherited_.search_path;
  context.run_as = spawn_.removal.empty() ? inherited_.run_as : nullptr;
  if (context.run_as != nullptr) {
    // A program that opens /dev/stderr opens the pipe anew, which only its owner may.
    for (const int pipe : {context.stdout_fd, context.stderr_fd}) {
      if (::fchown(pipe, context.run_as->uid, context.run_as->gid) != 0) {
        fail(SpawnStage::output, errno, "");
        return false;
      }
    }
  }
  started_at_ = Clock::now();
  const LaunchResult launched = launch(spawn_, context);
  // From here on end-of-file on the pipes is the attempt's alone to give.
  output_.out.reset();
  output_.err.reset();
  if (launched.stage != SpawnStage::none) {
    fail(launched.stage, launched.error, launched.detail);
    return false;
  }
  main_pid_ = launched.pid;
  announce_at_ = started_at_ + std::chrono::milliseconds(kAnnounceMs);
  return true;
}

void Guard::supervise() {
  while (true) {
    reap();
    if (main_exited_ && !descendants_remain_) return;
    on_time(Clock::now());
    std::array<pollfd, 2> fds = {pollfd{signals_.get(), POLLIN, 0},
                                 pollfd{spawner_gone_ ? -1 : inherited_.socket, POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), poll_timeout_ms()) <= 0) continue;
    if (fds[1].revents != 0) receive();
  }
}

int Guard::poll_timeout_ms() const {
  auto next = kill_at_;
  for (const auto& at : {terminate_at_, announce_at_}) {
    if (at && (!next || *at < *next)) next = at;
  }
  if (!next) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void Guard::receive() {
  std::array<char, 4096> packet{};
  const ssize_t got = ::recv(inherited_.socket, packet.data(), packet.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    spawner_gone_ = true;
    kill_at(Clock::now());
    return;
  }
  const auto message = decode_frame({packet.data(), static_cast<std::size_t>(got)});
  if (!message) return;
  const auto* stop = std::get_if<spawn_message::Stop>(&*message);
  // One for the attempt before may have been on its way when that ended.
  if (stop != nullptr && stop->run == spawn_.run) on_stop(*stop);
}

void Guard::on_stop(const spawn_message::Stop& stop) {
  stopping_ = true;
  terminate_at_.reset();
  if (stop.grace_ms > 0) signal_descendants(stop.signal);
  kill_at(Clock::now() + std::chrono::milliseconds(stop.grace_ms));
}

void Guard::kill_at(Clock::time_point when) {
  if (!kill_at_ || when < *kill_at_) kill_at_ = when;
}

void Guard::reap() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) > 0) {
  }
  while (true) {
    int status = 0;
    rusage usage{};
    const pid_t pid = ::wait4(-1, &status, WNOHANG, &usage);
    if (pid < 0 && errno == EINTR) continue;
    descendants_remain_ = pid >= 0;
    if (pid <= 0) return;
    // With what it had waited for itself. Not RUSAGE_CHILDREN, which counts from the guard's birth.
    end_.user_us += microseconds(usage.ru_utime);
    end_.system_us += microseconds(usage.ru_stime);
    end_.max_rss_bytes =
        std::max(end_.max_rss_bytes, static_cast<std::uint64_t>(usage.ru_maxrss) * 1024U);
    if (pid == main_pid_) on_main_exited(status);
  }
}

void Guard::on_main_exited(int wait_status) {
  main_exited_ = true;
  end_.wait_status = wait_status;
  const auto wall =
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - started_at_);
  end_.wall_us = static_cast<std::uint64_t>(wall.count());
  // While stopping, what remains has the grace that everything was given.
  if (!stopping_) terminate_at_ = Clock::now() + std::chrono::milliseconds(kLingerMs);
}

void Guard::announce(Clock::time_point now) {
  announce_at_.reset();
  const auto age = std::chrono::duration_cast<std::chrono::microseconds>(now - started_at_);
  // Should it be lost, EXITED still ends the attempt.
  (void)send(spawn_message::Spawned{spawn_.run, static_cast<std::uint32_t>(main_pid_),
                                    static_cast<std::uint64_t>(age.count())});
}

void Guard::on_time(Clock::time_point now) {
  if (announce_at_ && now >= *announce_at_) announce(now);
  if (terminate_at_ && now >= *terminate_at_) {
    terminate_at_.reset();
    const auto signalled = static_cast<std::uint32_t>(signal_descendants(SIGTERM));
    end_.leftovers_killed = std::max(end_.leftovers_killed, signalled);
    kill_at(now + std::chrono::milliseconds(kLeftoverGraceMs));
  }
  if (kill_at_ && now >= *kill_at_) {
    if (cgroup_ != nullptr) cgroup_->kill();
    const auto killed = static_cast<std::uint32_t>(signal_descendants(SIGKILL));
    if (main_exited_) end_.leftovers_killed = std::max(end_.leftovers_killed, killed);
    kill_at_ = now + kill_pause_;  // again, for what was forked meanwhile
    kill_pause_ = std::min(kill_pause_ * 2, kMaxKillPause);
  }
}

void Guard::end_container() {
  if (spawn_.removal.empty()) return;
  AftermathContext context{inherited_.search_path, inherited_.open_files,
                           WIFSIGNALED(end_.wait_status) || stopping_ || spawner_gone_};
  context.client_succeeded = end_.wait_status == 0;
  const Aftermath ended = clear_container(spawn_, context);
  end_.container_started = ended.started;
  end_.out_of_memory = ended.out_of_memory;
  end_.container_left = ended.left;
}

void Guard::report_end() {
  if (announce_at_) announce(Clock::now());
  if (cgroup_ != nullptr) {
    end_.out_of_memory = cgroup_->out_of_memory();
    cgroup_->remove();
  }
  unheard_ = !send(end_);
}

void Guard::fail(SpawnStage stage, int error, std::string detail) {
  if (cgroup_ != nullptr) cgroup_->remove();
  if (detail.size() > kMaxSpawnTextBytes) detail.resize(kMaxSpawnTextBytes);
  unheard_ = !send(spawn_message::SpawnFailed{spawn_.run, stage, error, std::move(detail)});
}

bool Guard::send(const SpawnMessage& message) {
  if (spawner_gone_) return false;
  const std::string packet = encode(message);
  ssize_t sent = -1;
  do {
    sent = ::send(inherited_.socket, packet.data(), packet.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent >= 0;
}

}  // namespace taskpipe::worker
