// Attempts: accepting, starting, stopping, ending.
#include <algorithm>
#include <iterator>
#include <utility>

#include "common/model/limits.hpp"
#include "worker/core/clean_text.hpp"
#include "worker/core/worker_core.hpp"

namespace taskpipe::worker {
namespace {

// What a task counts against the credit in bytes; the broker counts the same.
std::uint64_t credit_bytes(const TaskSpec& spec, const Payload& params) {
  return params.size() + spec.inline_script.size();
}

Outcome cancelled_before_start() {
  Outcome outcome;
  outcome.state = TaskState::cancelled;
  outcome.failure = FailureClass::cancelled;
  outcome.reason = "cancelled before it had started";
  return outcome;
}

// What an executor reports must not be able to make the whole RESULT unsendable.
Outcome sendable(Outcome outcome) {
  if (!is_terminal(outcome.state)) {
    outcome.state = TaskState::error;
    outcome.reason = "the executor reported no final state; please report this as a defect";
  }
  outcome.reason = clean_text(outcome.reason, limits::kMaxTextBytes);
  if (outcome.report.size() > limits::kMaxResultBytes) {
    outcome.report = Payload{};
    outcome.reason = clean_text("the report exceeded its bound and was dropped; " + outcome.reason,
                                limits::kMaxTextBytes);
  }
  return outcome;
}

}  // namespace

// The number in `correlation` fences off what comes twice: an attempt that has ended here and is
// acknowledged is forgotten, and would be run again.
void WorkerCore::on_message(const Tasks& tasks, Correlation correlation, Turn turn) {
  const std::uint64_t number = correlation.value();
  if (number != 0) {  // a broker of an earlier release does not number them
    if (number <= tasks_messages_) {
      note(turn, NoteLevel::warning, "ignored a message of tasks that has come before");
      return;
    }
    if (number > tasks_messages_ + 1) {
      note(turn, NoteLevel::warning,
           "tasks were lost on their way: registering again, so that the broker places them anew");
      link_.on_who();
      return;
    }
    tasks_messages_ = number;
  }
  TasksAck ack;
  Returned returned;
  std::vector<std::optional<Admission::Verdict>> verdicts(tasks.specs.size());
  for (const TaskItem& item : tasks.items) {
    if (item.spec >= tasks.specs.size() || results_.contains(item.attempt) ||
        attempts_.find(item.attempt) != nullptr) {
      continue;  // a repetition; the codec refuses bad indices
    }
    const TaskSpecPtr& spec = tasks.specs[item.spec];
    std::optional<Admission::Verdict>& verdict = verdicts[item.spec];
    if (!verdict) verdict = admission_.judge(*spec);
    auto refusal =
        verdict->refusal ? verdict->refusal : admission_.check_placements(item.placements);
    if (refusal) {
      ack.refused.push_back({item.attempt, std::move(*refusal)});
      credit_.consume(credit_bytes(*spec, item.params));
    } else if (phase_ != Phase::working || attempts_.queued_count() >= config_.window_tasks) {
      returned.attempts.push_back(item.attempt);
      credit_.consume(credit_bytes(*spec, item.params));
    } else {
      attempts_.add(item.attempt, verdict->kind, spec, item.params);
      ready_.push(spec->priority, item.attempt);
    }
  }
  if (!ack.refused.empty()) send(turn, std::move(ack));
  if (!returned.attempts.empty()) send(turn, std::move(returned));
}

void WorkerCore::leave_queue(const AttemptKey& key, const HeldAttempt& attempt) {
  credit_.consume(credit_bytes(*attempt.spec, attempt.params));
  attempts_.erase(key);
  // Lazily removed entries are dropped at the head; behind a task that waits long they could pile
  // up.
  if (ready_.entries() > 2 * (attempts_.queued_count() + limits::kMaxBatchItems)) {
    ready_.compact([&](const AttemptKey& entry) { return attempts_.is_queued(entry); });
  }
}

void WorkerCore::on_message(const Recall& recall, Correlation correlation, Turn turn) {
  Returned returned;
  for (const AttemptKey& key : recall.attempts) {
    const HeldAttempt* attempt = attempts_.find(key);
    if (attempt == nullptr || !attempt->queued()) continue;
    leave_queue(key, *attempt);
    returned.attempts.push_back(key);
  }
  send(turn, std::move(returned), correlation);  // empty says: all of them have started
}

void WorkerCore::on_message(const Kill& message, Correlation, Turn turn) {
  for (const KillItem& item : message.items) kill(item.attempt, item.grace_ms, turn);
}

void WorkerCore::kill(const AttemptKey& key, std::uint32_t grace_ms, Turn turn) {
  HeldAttempt* attempt = attempts_.find(key);
  if (attempt == nullptr) return;  // has ended; its result is on the way
  if (attempt->queued()) {
    leave_queue(key, *attempt);
    results_.add({key, cancelled_before_start()}, /*storing=*/false);
    return;
  }
  std::uint32_t grace = grace_ms != 0 ? grace_ms : attempt->spec->limits.grace_ms;
  if (grace == 0) grace = limits::kDefaultGraceMs;
  turn.out.stops.push_back(
      {key, attempt->kind, StopCause::cancelled, Millis{std::min(grace, limits::kMaxGraceMs)}});
}

void WorkerCore::on_message(const ResultAck& ack, Correlation, Turn turn) {
  for (const ResultCode& item : ack.items) {
    const auto disposal = results_.acknowledge(item.attempt, item.code);
    if (disposal == ResultOutbox::Disposal::kept) {
      note(turn, NoteLevel::warning,
           "the broker could not store a result (" + std::string(name_of(item.code)) +
               "): keeping it, and sending it again later");
    }
    dispose(item.attempt, disposal, turn);
  }
}

void WorkerCore::dispose(const AttemptKey& key, ResultOutbox::Disposal disposal, Turn turn) {
  if (disposal != ResultOutbox::Disposal::forgotten_on_disk) return;
  const auto is_it = [&key](const SpoolStore& store) { return store.result.attempt == key; };
  if (std::erase_if(stores_, is_it) == 0) turn.out.drops.push_back({key});
}

// Each thread that is woken costs as much as the writing: many at a time where work is not short.
void WorkerCore::store(Turn turn) {
  if (stores_.empty()) return;
  const bool waits = has_backlog() && stores_.size() < limits::kMaxBatchItems &&
                     turn.now.monotonic < stores_since_ + kNewsLinger;
  if (waits) return;
  std::move(stores_.begin(), stores_.end(), std::back_inserter(turn.out.stores));
  stores_.clear();
}

// Work starts only within a session: while the broker is away, it may be giving the same tasks to
// others.
void WorkerCore::start_ready(Turn turn) {
  if (!link_.established() || phase_ != Phase::working) return;
  const auto is_queued = [&](const AttemptKey& key) { return attempts_.is_queued(key); };
  while (const AttemptKey* head = ready_.head(is_queued)) {
    // All that a HELLO would have to list, and all that memory has to hold, must stay bounded.
    if (attempts_.running_count() + results_.size() >= limits::kMaxHelloAttempts) return;
    if (results_.bytes() >= limits::kMaxUnacknowledgedBytes) return;
    const AttemptKey key = *head;
    HeldAttempt& attempt = *attempts_.find(key);
    if (!capacity_.acquire(attempt.kind, *attempt.spec)) return;
    ready_.pop();
    attempts_.mark_running(attempt);
    credit_.consume(credit_bytes(*attempt.spec, attempt.params));
    turn.out.starts.push_back({key, attempt.kind, attempt.spec, std::move(attempt.params)});
  }
}

void WorkerCore::on(const command::AttemptStarted& command, Turn) {
  const HeldAttempt* attempt = attempts_.find(command.attempt);
  if (attempt == nullptr || attempt->queued()) return;
  started_.push_back({{command.attempt, command.pid}, attempt->kind});
}

void WorkerCore::on(const command::AttemptOutput& command, Turn) {
  if (command.data.empty() || attempts_.find(command.attempt) == nullptr) return;
  logs_.add({command.attempt, command.stream, command.offset, command.data});
}

void WorkerCore::on(const command::AttemptProgressed& command, Turn) {
  if (attempts_.find(command.attempt) == nullptr) return;
  progress_.merge(command.attempt, command.progress);
}

void WorkerCore::on(const command::AttemptEnded& command, Turn turn) {
  HeldAttempt* attempt = attempts_.find(command.attempt);
  Running* running = attempt == nullptr ? nullptr : attempt->running();
  if (running == nullptr) return;
  capacity_.release(attempt->kind, *attempt->spec);
  progress_.forget(command.attempt);
  const bool abandoned = running->abandoned;
  const bool storing = attempt->kind == AttemptKind::process;
  attempts_.erase(command.attempt);
  if (abandoned) return;
  ResultItem result{command.attempt, sendable(command.outcome)};
  if (storing) {
    if (stores_.empty()) stores_since_ = turn.now.monotonic;
    stores_.push_back({result});
  }
  results_.add(std::move(result), storing);
}

void WorkerCore::on(const command::SpoolStored& command, Turn turn) {
  if (!command.kept) {
    note(turn, NoteLevel::error,
         "a result could not be written to the spool: it is sent from memory, and lost if this "
         "worker ends before the broker has it");
  }
  results_.stored(command.attempt, command.kept);
  some_stored_ = true;
}

}  // namespace taskpipe::worker
