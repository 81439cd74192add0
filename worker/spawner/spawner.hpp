// The spawner's loop: takes SPAWN and STOP from the worker, gives each attempt a guard of its own,
// passes on what the guards report, and outlives the worker just long enough to see everything
// gone.
//
// A guard whose attempt is over waits for the next; only where none waits, one is forked.
//
// It is a subreaper too: should a guard be killed, what it guarded becomes the spawner's own child
// and is killed here, and its container is removed by another process in the guard's place. One
// thread; all signals are blocked and taken from a signalfd, so nothing but SIGKILL ends it while
// its socket lives.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "worker/spawner/cgroup_driver.hpp"
#include "worker/spawner/credentials.hpp"
#include "worker/spawner/descriptor.hpp"
#include "worker/spawner/spawn_protocol.hpp"

namespace taskpipe::worker {

// How long guards may take to clear up after the worker's death before they are killed as well.
inline constexpr std::uint32_t kGuardShutdownMs = 5000;
// Guards that wait for an attempt; of more that become free, the rest ends. Each holds as much
// memory as a small process, and is worth a fork to a node that starts short tools without end.
inline constexpr std::size_t kMaxIdleGuards = 64;
inline constexpr int kStrayPauseMs = 5;  // between two rounds of killing what lost guards left

class Spawner {
 public:
  // `lifeline`: a descriptor that is merely kept open by the spawner and its guards, so that its
  // other end tells when all of them are gone; may be invalid. Throws std::system_error.
  // `run_as`: as whom everything is started; nothing: as who this process is.
  Spawner(Descriptor socket, Descriptor lifeline, std::unique_ptr<CgroupDriver> driver,
          std::optional<Credentials> run_as = std::nullopt);
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;

  // Returns when the worker has gone and nothing is left. In a guard, which is forked in here, it
  // does not return.
  void run();

 private:
  using Clock = std::chrono::steady_clock;
  using GuardNumber = std::uint64_t;  // from 1 upwards, never twice
  static constexpr RunNumber kNoRun = 0;

  struct GuardRecord {
    pid_t pid = -1;
    RunNumber run = kNoRun;  // what it guards: until EXITED or SPAWN_FAILED was passed on
    Descriptor socket;       // invalid once end-of-file was seen, or nothing more is wanted of it
    bool reaped = false;
    bool died = false;  // was killed, or failed, before it had cleared up
    bool lost = false;  // is in lost_
    // What its container needs to be removed, in case that it dies; null when there is none.
    std::unique_ptr<spawn_message::Spawn> container{};
    bool cleaning = false;        // the process is a cleaner in the place of a lost guard
    bool container_left = false;  // as the cleaner told by its exit code, or its death
  };
  // The descriptors that came with one SPAWN; fewer than two when there was no room for them.
  using Accompaniment = std::vector<Descriptor>;

  void watch(int fd, std::uint64_t tag, bool writable = false);
  void on_ready(std::uint64_t tag);
  void receive();
  void on_message(SpawnMessage message);
  void on_spawn(spawn_message::Spawn spawn);
  [[nodiscard]] GuardRecord* use_idle_guard(const spawn_message::Spawn& spawn,
                                            const Accompaniment& output);
  [[nodiscard]] GuardRecord* fork_guard(spawn_message::Spawn& spawn, Accompaniment output);
  void refuse(RunNumber run, SpawnStage stage, int error);
  void on_guard(GuardNumber number);
  void reap();

  // In spawner_losses.cpp: the end of attempts, of guards, of the worker, of everything.
  void on_attempt_over(GuardNumber number, GuardRecord& guard, bool serves_on);
  void on_worker_gone();
  void settle(GuardNumber number);
  void lose(GuardNumber number, GuardRecord& guard);
  void clear_strays();
  [[nodiscard]] bool start_cleaner(GuardNumber number, GuardRecord& guard);
  void end_overdue_guards();
  [[nodiscard]] std::vector<pid_t> guard_pids() const;
  [[nodiscard]] bool finished() const;
  [[nodiscard]] int poll_timeout_ms() const;
  void send(const SpawnMessage& message);
  void flush();

  Descriptor socket_;
  Descriptor lifeline_;
  std::unique_ptr<CgroupDriver> driver_;
  std::optional<Credentials> run_as_;
  Descriptor epoll_;
  Descriptor signals_;
  rlimit open_files_{};
  std::string search_path_;
  FrameReader reader_;
  std::deque<Accompaniment> accompaniments_;
  std::string outgoing_;  // bounded by a few small messages per run
  bool awaits_writable_ = false;
  bool worker_gone_ = false;
  Clock::time_point shutdown_deadline_;
  GuardNumber next_guard_ = 1;
  std::unordered_map<GuardNumber, GuardRecord> guards_;
  std::unordered_map<RunNumber, GuardNumber> guard_of_;  // of what runs
  std::unordered_map<pid_t, GuardNumber> guards_by_pid_;
  std::vector<GuardNumber> idle_;  // the last one is used first
  std::vector<GuardNumber> lost_;  // guards that died without a report; strays may exist
};

}  // namespace taskpipe::worker
