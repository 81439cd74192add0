// The end: drain, stop, exit.
#include <algorithm>
#include <utility>

#include "common/model/limits.hpp"
#include "worker/core/worker_core.hpp"

namespace taskpipe::worker {

void WorkerCore::on_message(const Drain& drain, Correlation, Turn turn) {
  note(turn, NoteLevel::info, "the broker asks this worker to drain");
  std::optional<MonotonicTime> deadline;
  if (drain.deadline_ms != 0) deadline = turn.now.monotonic + Millis{drain.deadline_ms};
  begin_drain(deadline, turn);
}

void WorkerCore::on(const command::StopRequested&, Turn turn) {
  if (std::exchange(stop_requested_, true)) {
    stop_running(turn, Millis{0});
    exit(turn, ExitCause::stopped, "asked twice to stop");
    return;
  }
  note(turn, NoteLevel::info,
       "asked to stop: finishing " + std::to_string(attempts_.running_count()) +
           " running tasks; ask again to stop at once");
  begin_drain(turn.now.monotonic + config_.drain_timeout, turn);
}

// Gives back what has not started and takes nothing more. The earlier of several deadlines counts.
void WorkerCore::begin_drain(std::optional<MonotonicTime> deadline, Turn turn) {
  if (deadline && phase_ != Phase::stopping) {
    drain_deadline_ = drain_deadline_ ? std::min(*drain_deadline_, *deadline) : *deadline;
  }
  if (phase_ != Phase::working) return;
  phase_ = Phase::draining;
  const std::vector<AttemptKey> unstarted = attempts_.queued_keys();
  attempts_.drop_queued();
  ready_.clear();
  if (!link_.established()) return;
  send(turn, Drained{false});
  for (std::size_t from = 0; from < unstarted.size(); from += limits::kMaxBatchItems) {
    const std::size_t to = std::min(unstarted.size(), from + limits::kMaxBatchItems);
    Returned returned;
    returned.attempts.assign(unstarted.begin() + static_cast<std::ptrdiff_t>(from),
                             unstarted.begin() + static_cast<std::ptrdiff_t>(to));
    send(turn, std::move(returned));
  }
}

// Stops whatever runs without reporting it: it is not the task that failed. Once this worker has
// said DRAINED, the broker gives to others what it has no result of.
void WorkerCore::stop_running(Turn turn, Millis most_grace) {
  phase_ = Phase::stopping;
  drain_deadline_.reset();
  exit_deadline_ = turn.now.monotonic + most_grace + Millis{limits::kStopPatienceMs};
  abandon_running(turn, most_grace);
}

void WorkerCore::abandon_running(Turn turn, Millis most_grace) {
  for (const AttemptKey& key : attempts_.running_keys()) {
    HeldAttempt& attempt = *attempts_.find(key);
    attempt.running()->abandoned = true;
    std::uint32_t grace = attempt.spec->limits.grace_ms;
    if (grace == 0) grace = limits::kDefaultGraceMs;
    turn.out.stops.push_back(
        {key, attempt.kind, StopCause::superseded, std::min(Millis{grace}, most_grace)});
  }
}

void WorkerCore::drive_drain(Turn turn) {
  const MonotonicTime now = turn.now.monotonic;
  if (phase_ == Phase::draining && drain_deadline_ && now >= *drain_deadline_ &&
      attempts_.running_count() > 0) {
    note(turn, NoteLevel::warning,
         "the time to drain is up: stopping " + std::to_string(attempts_.running_count()) +
             " tasks; the broker gives them to other workers");
    stop_running(turn, Millis{limits::kDefaultGraceMs});
  }
  const bool out_of_time =
      (exit_deadline_ && now >= *exit_deadline_) || (drain_deadline_ && now >= *drain_deadline_);
  if (attempts_.running_count() > 0) {
    if (out_of_time) exit(turn, ExitCause::stopped, "stopped tasks do not end");
    return;
  }
  // Results on disk can wait for the next start, but while there is a session it costs little to
  // hand them over now.
  const bool delivered = results_.size() == 0;
  const bool safe = results_.all_on_disk();
  const bool no_hope = !link_.established() || phase_ == Phase::stopping;
  if (!delivered && !(safe && no_hope) && !out_of_time) return;
  if (!safe) {
    note(turn, NoteLevel::error,
         "ending with results that the broker does not have: their tasks run again");
  }
  if (phase_ == Phase::stopping) {
    exit(turn, ExitCause::stopped, "the time to drain was up");
  } else {
    exit(turn, ExitCause::drained, "drained");
  }
}

void WorkerCore::exit(Turn turn, ExitCause cause, std::string reason) {
  if (link_.established()) {
    // The last word of the session. It can be lost: then the lease runs out.
    if (cause == ExitCause::drained || cause == ExitCause::stopped) send(turn, Drained{true});
  }
  phase_ = Phase::over;
  store(turn);
  attempts_.drop_queued();
  ready_.clear();
  turn.out.exit = Exit{cause, std::move(reason)};
}

}  // namespace taskpipe::worker
