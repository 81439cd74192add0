// The guard: one small process per running attempt, forked from the spawner. Once an attempt is
// over it waits for another (guard_process.hpp): forking and ending one costs more than half a
// start.
//
// It is a subreaper, so everything that the attempt's main process starts remains below it,
// whatever it forks, detaches or renames; wait4 accounts for all of it and says when nothing is
// left. The guard ends the attempt when
//   - the main process has ended: what it left behind may go on for kLingerMs, then gets SIGTERM,
//     then, kLeftoverGraceMs later, SIGKILL;
//   - it is told to stop: the signal to everything, SIGKILL after the grace;
//   - its spawner is gone (end-of-file on its socket): SIGKILL at once.
// It reports SPAWN_FAILED; or SPAWNED, and EXITED once its group is removed and nothing is left:
// nor of a container, which is no descendant and is removed after its client (aftermath.hpp).
// SPAWNED waits for kAnnounceMs: of what has ended by then both leave together, and nobody wakes
// for it.
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "worker/spawner/cgroup_driver.hpp"
#include "worker/spawner/credentials.hpp"
#include "worker/spawner/descriptor.hpp"
#include "worker/spawner/spawn_protocol.hpp"

namespace taskpipe::worker {

inline constexpr std::uint32_t kLingerMs = 100;         // for what ends by itself, like `| tee log`
inline constexpr std::uint32_t kLeftoverGraceMs = 500;  // SIGTERM → SIGKILL of what was left behind
inline constexpr std::uint32_t kAnnounceMs = 10;  // SPAWNED of what ends sooner leaves with EXITED

// What the fork hands over, for all its attempts. Everything else is closed by the guard.
struct GuardInheritance {
  int socket = -1;    // seqpacket, to the spawner
  int lifeline = -1;  // held open as long as the guard lives; -1 = none
  rlimit open_files{};
  std::string search_path;
  const Credentials* run_as = nullptr;  // null: as who the spawner is
};

// The write ends of an attempt's pipes.
struct OutputEnds {
  Descriptor out;
  Descriptor err;
};

// One attempt, from its start to its end.
class Guard {
 public:
  // All but `output` must outlive it. `signals`: a signalfd for SIGCHLD, which does not block.
  Guard(const spawn_message::Spawn& spawn, OutputEnds output, const GuardInheritance& inherited,
        const Descriptor& signals, CgroupDriver& driver);
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  // Until nothing of the attempt is left and the spawner has been told.
  void run();
  // Then there is nobody to serve any more; or somebody who waits for a report that could not be
  // sent, and takes the end of this process for it.
  [[nodiscard]] bool must_exit() const { return spawner_gone_ || unheard_; }

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] bool make_group();
  [[nodiscard]] bool start_main_process();
  void supervise();
  [[nodiscard]] int poll_timeout_ms() const;
  void receive();
  void on_stop(const spawn_message::Stop& stop);
  void kill_at(Clock::time_point when);
  void reap();
  void on_main_exited(int wait_status);
  void on_time(Clock::time_point now);
  void announce(Clock::time_point now);
  void end_container();
  void report_end();
  void fail(SpawnStage stage, int error, std::string detail);
  [[nodiscard]] bool send(const SpawnMessage& message);

  const spawn_message::Spawn& spawn_;
  OutputEnds output_;
  const GuardInheritance& inherited_;
  const Descriptor& signals_;
  CgroupDriver& driver_;
  std::unique_ptr<AttemptCgroup> cgroup_;

  pid_t main_pid_ = -1;
  Clock::time_point started_at_;
  spawn_message::Exited end_;
  bool main_exited_ = false;
  bool descendants_remain_ = true;
  bool spawner_gone_ = false;
  bool unheard_ = false;  // EXITED or SPAWN_FAILED could not be sent
  bool stopping_ = false;
  std::optional<Clock::time_point> announce_at_;   // SPAWNED
  std::optional<Clock::time_point> terminate_at_;  // SIGTERM to what was left behind
  std::optional<Clock::time_point> kill_at_;       // SIGKILL, repeated until nothing is left
  std::chrono::milliseconds kill_pause_{1};
};

}  // namespace taskpipe::worker
