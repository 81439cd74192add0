// What happens because time passes.
#include <utility>

#include "broker/core/handlers.hpp"

namespace taskpipe::broker {
namespace {

constexpr Millis kEventHeartbeat{1000};

Millis suspect_after(const State& state) {
  return Millis(state.config.heartbeat_ms) * limits::kMissedBeatsUntilSuspect;
}

void check_worker(Turn& turn, WorkerSlot slot) {
  State& state = turn.state;
  Worker& worker = state.workers[slot];
  worker.silence_timer = false;
  const auto silence = turn.now.monotonic - worker.last_heard;
  if (silence >= Millis(state.config.lease_ms)) {
    lose_worker(turn, slot);
    return;
  }
  if (worker.state == WorkerState::ready && silence >= suspect_after(state)) {
    worker.state = WorkerState::suspect;
    state.events.worker_changed({worker.uuid, worker.name, worker.state});
    turn.note(NoteLevel::warning, "worker '" + worker.name + "' is silent; it gets no new work");
  }
  watch_silence(state, slot);
}

void check_session(Turn& turn, SessionId id) {
  State& state = turn.state;
  const Session* session = state.sessions.find(id);
  if (session == nullptr) return;
  const MonotonicTime ends = session->last_heard + Millis(state.config.lease_ms);
  if (turn.now.monotonic < ends) {
    schedule(state, ends, TimerKind::session_silence, id.value());
  } else {
    close_session(turn, id);
  }
}

}  // namespace

void schedule(State& state, MonotonicTime at, TimerKind kind, std::uint64_t subject) {
  state.timers.push({at, kind, subject});
}

void watch_silence(State& state, WorkerSlot slot) {
  Worker& worker = state.workers[slot];
  if (worker.silence_timer || (!worker.connected() && worker.placed_count == 0)) return;
  worker.silence_timer = true;
  const bool next_is_suspect = worker.connected() && worker.state == WorkerState::ready &&
                               suspect_after(state) < Millis(state.config.lease_ms);
  const Millis allowed = next_is_suspect ? suspect_after(state) : Millis(state.config.lease_ms);
  schedule(state, worker.last_heard + allowed, TimerKind::worker_silence, slot.value());
}

void fire_timers(Turn& turn) {
  State& state = turn.state;
  while (!state.timers.empty() && state.timers.top().at <= turn.now.monotonic) {
    const Timer timer = state.timers.top();
    state.timers.pop();
    switch (timer.kind) {
      case TimerKind::worker_silence:
        check_worker(turn, WorkerSlot(static_cast<std::uint32_t>(timer.subject)));
        break;
      case TimerKind::session_silence: check_session(turn, SessionId(timer.subject)); break;
      case TimerKind::late_acks: check_late_acks(turn, SessionId(timer.subject)); break;
      case TimerKind::heartbeat:
        state.events.heartbeat(state.epoch, state.last_lsn, turn.effects.events);
        tell_positions(state);
        schedule(state, turn.now.monotonic + kEventHeartbeat, TimerKind::heartbeat, 0);
        break;
    }
  }
}

void on_stall(Turn& turn, Millis duration) {
  State& state = turn.state;
  for (auto& [id, session] : state.sessions.all()) {
    session.last_heard = session.last_heard + duration;
  }
  for (std::uint32_t i = 0; i < state.workers.size(); ++i) {
    Worker& worker = state.workers[WorkerSlot(i)];
    worker.last_heard = worker.last_heard + duration;
  }
  turn.note(NoteLevel::warning, "the broker itself stalled for " +
                                    std::to_string(duration.count()) +
                                    " ms; all leases are extended by as much");
}

}  // namespace taskpipe::broker
