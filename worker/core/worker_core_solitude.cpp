// Without a broker: how long running attempts may go on.
//
// The broker gives them to others when their lease is over, and cannot say so to a worker that it
// does not reach. Whoever must not have two of a task running at a time lets the worker stop its
// own by its own clock (OnBrokerLost::stop).
#include "common/model/limits.hpp"
#include "worker/core/worker_core.hpp"

namespace taskpipe::worker {

// When running attempts are stopped unless the broker is heard before.
std::optional<MonotonicTime> WorkerCore::patience_end() const {
  Millis patience = config_.broker_wait;
  if (config_.on_broker_lost == OnBrokerLost::stop) patience = link_.lease();
  if (patience == Millis{0} || attempts_.wanted_keys().empty()) return std::nullopt;
  return link_.last_heard() + patience;
}

void WorkerCore::drive_solitude(Turn turn) {
  const auto end = patience_end();
  if (!end || turn.now.monotonic < *end) return;
  note(turn, NoteLevel::warning,
       "the broker has not been heard for too long: stopping " +
           std::to_string(attempts_.wanted_keys().size()) +
           " running tasks; the broker gives them to other workers");
  abandon_running(turn, Millis{limits::kDefaultGraceMs});
  // A HELLO that lists them may be on its way. Its answer must not count: the broker would take
  // them for running here, and wait for results that never come.
  link_.lose(turn.now.monotonic);
  link_.on_who();
}

}  // namespace taskpipe::worker
