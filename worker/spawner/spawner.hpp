// The spawner's loop: takes SPAWN and STOP from the worker, forks one guard per attempt, passes on
// what the guards report, and outlives the worker just long enough to see everything gone.
//
// It is a subreaper too: should a guard be killed, what it guarded becomes the spawner's own child
// and is killed here, and its container is removed by another process in the guard's place. One
// thread; all signals are blocked and taken from a signalfd, so nothing but SIGKILL ends it while
// its socket lives.
#pragma once

#include <sys/resource.h>
#include <sys/socket.h>
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

  struct GuardRecord {
    pid_t pid = -1;
    Descriptor socket;   // invalid once end-of-file was seen or the worker has gone
    bool ended = false;  // EXITED or SPAWN_FAILED was passed on
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
  void accept_descriptors(msghdr& header);
  void on_message(SpawnMessage message);
  void on_spawn(const spawn_message::Spawn& spawn);
  void refuse(RunNumber run, SpawnStage stage, int error);
  void on_guard(RunNumber run);
  void on_worker_gone();
  void reap();
  void settle(RunNumber run);
  void lose(RunNumber run, GuardRecord& guard);
  void clear_strays();
  [[nodiscard]] bool start_cleaner(RunNumber run, GuardRecord& guard);
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
  std::unordered_map<RunNumber, GuardRecord> guards_;
  std::unordered_map<pid_t, RunNumber> runs_by_pid_;
  std::vector<RunNumber> lost_;  // guards that died without a report; strays may exist
};

}  // namespace taskpipe::worker
