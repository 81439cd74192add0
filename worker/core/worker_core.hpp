// The worker as a state machine: commands in, effects out. No socket, file, thread or clock.
//
//   WorkerCore core(config);
//   core.apply(command::SpoolLoaded{…}, now, effects);       // opens the link
//   for (;;) {
//     for each message, executor event, signal: core.apply(…, now, effects);
//     core.apply(command::TurnEnded{}, now, effects);
//     carry out effects; effects.clear(); wait until something comes or core.next_deadline()
//   }
//
// What it promises: every attempt it accepted ends in one RESULT, sent until acknowledged; work
// that it has not started is given back or forgotten with the session, never run behind the
// broker's back; running work survives the loss of the broker, and its results wait for the next
// session.
//
// One thread. `apply` is total: it never throws (but for exhausted memory), never blocks, and takes
// whatever a peer or an executor can come up with. Cost: O(1) per item, O(attempts) per HELLO.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/model/limits.hpp"
#include "common/model/time.hpp"
#include "worker/core/admission.hpp"
#include "worker/core/attempt_table.hpp"
#include "worker/core/capacity.hpp"
#include "worker/core/command.hpp"
#include "worker/core/credit_window.hpp"
#include "worker/core/effect.hpp"
#include "worker/core/link.hpp"
#include "worker/core/log_outbox.hpp"
#include "worker/core/progress_outbox.hpp"
#include "worker/core/ready_queue.hpp"
#include "worker/core/result_outbox.hpp"
#include "worker/core/worker_config.hpp"

namespace taskpipe::worker {

class WorkerCore {
 public:
  explicit WorkerCore(WorkerConfig config);

  // Appends to `out`; the shell clears it.
  void apply(const Command& command, const Now& now, Effects& out);
  // When to apply TurnEnded at the latest; nothing = not before something else happens.
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;

  [[nodiscard]] bool connected() const { return link_.established(); }
  [[nodiscard]] std::size_t queued() const { return attempts_.queued_count(); }
  [[nodiscard]] std::size_t running() const { return attempts_.running_count(); }
  [[nodiscard]] std::size_t unacknowledged() const { return results_.size(); }
  // Aborts when the state contradicts itself. O(1); for tests and simulation after each command.
  void check_invariants() const;

 private:
  struct Turn {
    const Now& now;
    Effects& out;
  };
  static constexpr Millis kNewsLinger{limits::kNewsLingerMs};
  enum class Phase : std::uint8_t {
    working,
    draining,  // takes no work; what runs may finish until drain_deadline_
    stopping,  // what still ran was stopped; waits for its end until exit_deadline_
    over,
  };
  struct StartedNews {
    StartedItem item;
    AttemptKind kind = AttemptKind::process;
  };

  // --- worker_core.cpp: commands and turns
  void on(const command::SpoolLoaded& command, Turn turn);
  void on(const command::MessageReceived& command, Turn turn);
  void on(const command::MalformedReceived& command, Turn turn);
  void on(const command::LinkUnwritable& command, Turn turn);
  void on(const command::LinkRefused& command, Turn turn);
  void on(const command::LogRead& command, Turn turn);
  void on(const command::TurnEnded& command, Turn turn);
  void send(Turn turn, Message message, Correlation correlation = Correlation{});
  void flush(Turn turn);
  // Nobody could use a slot earlier for hearing of it: more tasks wait here than run.
  [[nodiscard]] bool has_backlog() const;
  // What is to be told may wait a moment for more.
  [[nodiscard]] bool lingers(MonotonicTime now);

  // --- worker_core_session.cpp: the session
  void on_message(const Who& who, Correlation correlation, Turn turn);
  void on_message(const Welcome& welcome, Correlation correlation, Turn turn);
  void on_message(const Pong& pong, Correlation correlation, Turn turn);
  void on_message(const Bye& bye, Correlation correlation, Turn turn);
  void on_message(const ErrorReply& reply, Correlation correlation, Turn turn);
  void on_message(const Reconcile& reconcile, Correlation correlation, Turn turn);
  void on_message(const Fetch& fetch, Correlation correlation, Turn turn);
  void drive_link(Turn turn);
  void say_hello(Turn turn);
  void ping(Turn turn);

  // --- worker_core_work.cpp: attempts
  void on_message(const Tasks& tasks, Correlation correlation, Turn turn);
  void on_message(const Recall& recall, Correlation correlation, Turn turn);
  void on_message(const Kill& kill, Correlation correlation, Turn turn);
  void on_message(const ResultAck& ack, Correlation correlation, Turn turn);
  // Messages that a broker never sends to workers.
  template <class Other>
  void on_message(const Other&, Correlation, Turn turn) {
    note(turn, NoteLevel::warning, "ignored a message that is not for workers");
  }
  void on(const command::AttemptStarted& command, Turn turn);
  void on(const command::AttemptOutput& command, Turn turn);
  void on(const command::AttemptProgressed& command, Turn turn);
  void on(const command::AttemptEnded& command, Turn turn);
  void on(const command::SpoolStored& command, Turn turn);
  void start_ready(Turn turn);
  void leave_queue(const AttemptKey& key, const HeldAttempt& attempt);
  void kill(const AttemptKey& key, std::uint32_t grace_ms, Turn turn);
  void dispose(const AttemptKey& key, ResultOutbox::Disposal disposal, Turn turn);
  void store(Turn turn);

  // --- worker_core_solitude.cpp: without a broker
  [[nodiscard]] std::optional<MonotonicTime> patience_end() const;
  void drive_solitude(Turn turn);

  // --- worker_core_drain.cpp: the end
  void on_message(const Drain& drain, Correlation correlation, Turn turn);
  void on(const command::StopRequested& command, Turn turn);
  void begin_drain(std::optional<MonotonicTime> deadline, Turn turn);
  void stop_running(Turn turn, Millis most_grace);
  void abandon_running(Turn turn, Millis most_grace);
  void drive_drain(Turn turn);
  void exit(Turn turn, ExitCause cause, std::string reason);
  void exit_for_version(Turn turn, const std::string& why);

  static void note(Turn turn, NoteLevel level, std::string text);

  WorkerConfig config_;
  Admission admission_;
  Link link_;
  CreditWindow credit_;
  Capacity capacity_;
  AttemptTable attempts_;
  ReadyQueue ready_;
  ResultOutbox results_;
  ProgressOutbox progress_;
  LogOutbox logs_;

  // News of this turn, or of those since news_since_.
  std::vector<StartedNews> started_;
  std::optional<MonotonicTime> news_since_;
  bool some_stored_ = false;  // results, which have waited for each other already
  std::vector<SpoolStore> stores_;
  MonotonicTime stores_since_;
  std::vector<ResultBatch> result_batches_;  // reused
  std::vector<Progress> progress_batches_;
  std::vector<Log> log_batches_;

  Phase phase_ = Phase::working;
  bool stop_requested_ = false;
  std::optional<MonotonicTime> drain_deadline_;
  std::optional<MonotonicTime> exit_deadline_;
  std::size_t malformed_ = 0;         // in this session
  std::uint64_t tasks_messages_ = 0;  // TASKS taken in this session
};

}  // namespace taskpipe::worker
