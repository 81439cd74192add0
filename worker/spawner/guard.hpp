// The guard: one small process per attempt, forked from the spawner.
//
// It is a subreaper, so everything that the attempt's main process starts remains below it,
// whatever it forks, detaches or renames; wait4 accounts for all of it and says when nothing is
// left. The guard ends the attempt when
//   - the main process has ended: what it left behind may go on for kLingerMs, then gets SIGTERM,
//     then, kLeftoverGraceMs later, SIGKILL;
//   - it is told to stop: the signal to everything, SIGKILL after the grace;
//   - its spawner is gone (end-of-file on its socket): SIGKILL at once.
// It reports SPAWNED or SPAWN_FAILED, and EXITED once its group is removed and nothing is left: nor
// of a container, which is no descendant and is removed after its client (aftermath.hpp).
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

// What the fork hands over. Everything else is closed by the guard.
struct GuardInheritance {
  int socket = -1;  // seqpacket, to the spawner
  int stdout_fd = -1;
  int stderr_fd = -1;
  int lifeline = -1;  // held open as long as the guard lives; -1 = none
  rlimit open_files{};
  std::string search_path;
  const Credentials* run_as = nullptr;  // null: as who the spawner is
};

class Guard {
 public:
  Guard(const spawn_message::Spawn& spawn, GuardInheritance inherited, CgroupDriver& driver);
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  // The whole life; the caller, a fresh fork with all signals blocked, exits when it returns.
  void run();

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] bool prepare();
  [[nodiscard]] bool start_main_process();
  void supervise();
  [[nodiscard]] int poll_timeout_ms() const;
  void receive();
  void on_stop(const spawn_message::Stop& stop);
  void kill_at(Clock::time_point when);
  void reap();
  void on_main_exited(int wait_status);
  void on_time(Clock::time_point now);
  void end_container();
  void report_end();
  void fail(SpawnStage stage, int error, std::string detail);
  void send(const SpawnMessage& message);

  const spawn_message::Spawn& spawn_;
  GuardInheritance inherited_;
  CgroupDriver& driver_;
  std::unique_ptr<AttemptCgroup> cgroup_;
  Descriptor signals_;

  pid_t main_pid_ = -1;
  Clock::time_point started_at_;
  spawn_message::Exited end_;
  bool main_exited_ = false;
  bool descendants_remain_ = true;
  bool spawner_gone_ = false;
  bool stopping_ = false;
  std::optional<Clock::time_point> terminate_at_;  // SIGTERM to what was left behind
  std::optional<Clock::time_point> kill_at_;       // SIGKILL, repeated until nothing is left
  std::chrono::milliseconds kill_pause_{1};
};

}  // namespace taskpipe::worker
