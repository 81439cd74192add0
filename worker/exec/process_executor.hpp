// Runs attempts as processes, through a taskpipe-spawner of its own.
//
//   ProcessExecutor executor({"/var/lib/taskpipe/attempts", {"/usr/libexec/taskpipe-spawner"},
//                             "node7"},
//                            [&](ExecEvent event) { mailbox.post(std::move(event)); });
//   executor.start(key, std::move(plan));
//
// Construct it before the process has other threads or ZeroMQ contexts. One I/O thread reads all
// output and calls the sink; one finisher thread hashes artifacts. However much a tool prints,
// memory stays bounded and other attempts get their turn: each stream is read at most 64 KiB per
// turn, live output is thinned (output_stream.hpp), progress is coalesced.
//
// A spawner that dies ends every attempt with error/spawn, after everything it had started is gone;
// another is started, at most limits::kMaxSpawnerRestarts times per
// limits::kSpawnerRestartWindowMs, beyond which starts end with error/spawn until the window has
// passed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "common/model/limits.hpp"
#include "common/process/logging.hpp"
#include "worker/exec/artifact_keeper.hpp"
#include "worker/exec/executor.hpp"
#include "worker/exec/spawner_link.hpp"

namespace taskpipe::worker {

struct ProcessExecutorOptions {
  std::string attempts_root;  // absolute; attempts run in folders below it (attempt_directory.hpp)
  SpawnerOptions spawner;
  std::string node;  // host name, for reports
  std::uint64_t max_log_file_bytes = limits::kMaxLogFileBytes;
  ArtifactKeeper* keeper = nullptr;   // see finisher.hpp
  process::Logger* logger = nullptr;  // of what the host's administrator should see; may be null
};

class ExecutorLoop;

class ProcessExecutor final : public Executor {
 public:
  // Throws std::runtime_error when the spawner cannot be started.
  ProcessExecutor(ProcessExecutorOptions options, Sink sink);
  // Kills everything, waits for it at most limits::kSpawnerEndMs, reports Ended for each attempt.
  ~ProcessExecutor() override;

  // A key that is running already is ignored: its first start will report.
  void start(AttemptKey attempt, RunPlan plan) override;
  void stop(AttemptKey attempt, StopCause cause, Millis grace) override;

  // How memory limits are enforced on this host, for HELLO and logs: "cgroup v2 memory", "cgroup v1
  // memory", "RLIMIT_AS" or "none".
  [[nodiscard]] const std::string& memory_control() const { return memory_control_; }

 private:
  std::unique_ptr<ExecutorLoop> loop_;
  std::string memory_control_;
  std::thread thread_;
};

}  // namespace taskpipe::worker
