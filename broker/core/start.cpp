// How a core begins its life, after the replay: with a new epoch, or reading only.
#include <algorithm>
#include <cassert>
#include <utility>

#include "broker/core/broker_core.hpp"
#include "broker/core/fold.hpp"
#include "broker/core/handlers.hpp"

namespace taskpipe::broker {
namespace {

// The journal holds tasks in the order of their newest whole copies: one that was carried forward
// lies behind younger ones.
void order_arrivals(State& state) {
  state.tasks.order_by_arrival();
  for (std::uint32_t i = 0; i < state.signatures.size(); ++i) {
    const SignatureIndex index(i);
    if (state.signatures[index].key.empty()) continue;
    state.signatures[index].queue.reorder(state.tasks);
    relist(state, index);
  }
}

void order_ended(State& state) {
  std::sort(state.ended_tasks.begin(), state.ended_tasks.end(), [&](TaskSlot a, TaskSlot b) {
    return state.tasks[a].end().terminal_lsn < state.tasks[b].end().terminal_lsn;
  });
  std::sort(state.ended_workflows.begin(), state.ended_workflows.end(),
            [&](WorkflowSlot a, WorkflowSlot b) {
              return state.workflows[a].terminal_lsn < state.workflows[b].terminal_lsn;
            });
}

void settle_replay(Turn& turn, const HistoryPosition& history) {
  State& state = turn.state;
  state.imaged_members.clear();
  state.started_at = turn.now.monotonic;
  state.finished = 0;
  order_arrivals(state);
  order_ended(state);
  give_late_again(state, history.watermark);
  state.archived_up_to = history.watermark;
  on_history_committed(turn, history.watermark);
  while (has_archived(state)) forget_archived(turn);
  state.next_arrival = std::max(state.next_arrival, history.last_arrival.next());
}

}  // namespace

void BrokerCore::start(Epoch epoch, BrokerUuid broker, const HistoryPosition& history,
                       const Now& now, Effects& effects) {
  State& state = *state_;
  assert(epoch > state.epoch);
  Turn turn{state, now, effects};
  settle_replay(turn, history);
  turn.commit(record::EpochStarted{epoch, broker, now.wall});
  state.sessions.begin_epoch(epoch);
  for (std::uint32_t i = 0; i < state.workers.size(); ++i) {
    state.workers[WorkerSlot(i)].last_heard = now.monotonic;
    watch_silence(state, WorkerSlot(i));
  }
  schedule(state, now.monotonic, TimerKind::heartbeat, 0);
  // A crash may have come between a failure and the cancelling of what depends on it.
  state.doomed.clear();
  if (!state.workflows.all().empty()) {
    for (TaskSlot slot = state.tasks.newest(); slot.value() != kNoSlot;
         slot = state.tasks[slot].by_arrival.previous) {
      if (is_doomed(state, slot)) state.doomed.push_back(slot);
    }
  }
  finish_doomed(turn);
  arm_tasks(turn);
}

// Nobody watches workers, ends what is doomed or hands over what has ended: each would need a
// record. The next broker that can write does all of it.
void BrokerCore::start_read_only(std::string why, const HistoryPosition& history, const Now& now,
                                 Effects& effects) {
  State& state = *state_;
  assert(!why.empty());
  Turn turn{state, now, effects};
  settle_replay(turn, history);
  state.read_only = std::move(why);
  state.doomed.clear();
  state.unarmed.clear();
  state.sessions.begin_epoch(state.epoch);
  schedule(state, now.monotonic, TimerKind::heartbeat, 0);
}

}  // namespace taskpipe::broker
