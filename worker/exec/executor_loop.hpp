// The I/O thread of ProcessExecutor: one turn reads a bounded amount from each ready stream,
// applies commands and the spawner's messages, passes on what is due, and sends to the spawner.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "common/process/mailbox.hpp"
#include "worker/exec/finisher.hpp"
#include "worker/exec/process_executor.hpp"
#include "worker/exec/running_attempt.hpp"
#include "worker/exec/spawner_link.hpp"

namespace taskpipe::worker {

namespace executor_command {
struct Start {
  AttemptKey attempt;
  RunPlan plan;
};
struct Stop {
  AttemptKey attempt;
  StopCause cause = StopCause::cancelled;
  Millis grace{0};
};
struct Finished {  // from the finisher
  RunNumber run = 0;
  Outcome outcome;
};
struct Shutdown {};
}  // namespace executor_command

using ExecutorCommand = std::variant<executor_command::Start, executor_command::Stop,
                                     executor_command::Finished, executor_command::Shutdown>;

class ExecutorLoop {
 public:
  // Starts the spawner. Throws std::runtime_error.
  ExecutorLoop(ProcessExecutorOptions options, Executor::Sink sink);
  ExecutorLoop(const ExecutorLoop&) = delete;
  ExecutorLoop& operator=(const ExecutorLoop&) = delete;

  // Any thread, until Shutdown has been posted.
  void post(ExecutorCommand command) { mailbox_.post(std::move(command)); }
  // Until Shutdown has been carried out.
  void run();
  // Before `run`.
  [[nodiscard]] std::string memory_control() const { return link_->memory_control(); }

 private:
  using Attempts = std::unordered_map<RunNumber, std::unique_ptr<RunningAttempt>>;
  // Tags of epoll: a source in the low bits, the run above them.
  enum class Source : std::uint64_t { out = 0, err = 1, mailbox = 2, link = 3, lifeline = 4 };
  static constexpr unsigned kSourceBits = 3;
  static constexpr std::uint64_t tag_of(Source source, RunNumber run = 0) {
    return (run << kSourceBits) | static_cast<std::uint64_t>(source);
  }

  void turn();
  [[nodiscard]] int poll_timeout_ms() const;
  void on_ready(std::uint64_t tag);
  void take_commands();
  void on_command(executor_command::Start& start);
  void on_command(executor_command::Stop& stop);
  void on_command(executor_command::Finished& finished);
  void on_command(executor_command::Shutdown& shutdown);

  void begin(executor_command::Start start);
  // The message for the spawner, without the folder; or what is wrong with the plan, a sentence.
  [[nodiscard]] tl::expected<spawn_message::Spawn, std::string> describe_process(
      const RunPlan& plan, RunNumber run) const;
  void receive();
  void on_message(const spawn_message::Spawned& spawned);
  void on_message(const spawn_message::SpawnFailed& failure);
  void on_message(const spawn_message::Exited& end);
  // `end`: as the guard told; null when none did.
  void finish(RunNumber run, Outcome outcome, const spawn_message::Exited* end = nullptr);
  void judge(const RunningAttempt& attempt, const spawn_message::Exited* end,
             std::string_view stderr_tail, Outcome& outcome);
  void end_at_once(const AttemptKey& attempt, Outcome outcome);
  void on_limit(RunNumber run, RunningAttempt& attempt, EndCause which);
  void run_timers();
  void reschedule(RunNumber run, const RunningAttempt& attempt);
  void flush();

  // In spawner_recovery.cpp: the loss of the spawner, and the end of everything.
  void on_spawner_lost();
  void replace_spawner();
  bool start_spawner();
  void end_all(const std::string& why);
  void shut_down();

  [[nodiscard]] RunningAttempt* find(RunNumber run);
  [[nodiscard]] EndFacts facts_of(const RunningAttempt& attempt) const;
  void watch(int fd, std::uint64_t tag, std::uint32_t events);

  ProcessExecutorOptions options_;
  Executor::Sink sink_;
  process::Mailbox<ExecutorCommand> mailbox_;
  std::vector<ExecutorCommand> commands_;  // reused
  std::vector<SpawnMessage> messages_;     // reused
  std::string scratch_;                    // one read
  Descriptor epoll_;
  std::unique_ptr<SpawnerLink> link_;  // null while there is no spawner
  std::string memory_control_;         // of the last spawner
  bool link_watches_write_ = false;
  std::optional<MonotonicTime> spawner_gone_by_;  // set while a dead one's guards clear up
  std::deque<MonotonicTime> restarts_;            // within the window
  std::string broken_reason_;                     // why there is no spawner
  std::deque<executor_command::Start> waiting_;   // until there is a spawner again
  RunNumber next_run_ = 1;
  Attempts attempts_;
  std::unordered_map<AttemptKey, RunNumber> runs_;
  std::set<std::pair<MonotonicTime, RunNumber>> timers_;
  std::unordered_map<RunNumber, MonotonicTime> timer_of_;
  MonotonicTime now_;  // read once per turn
  bool shutting_down_ = false;
  std::unique_ptr<Finisher> finisher_;  // last: its thread posts here
};

}  // namespace taskpipe::worker
