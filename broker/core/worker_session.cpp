// Workers coming, coming back, and getting lost.
#include <algorithm>
#include <unordered_set>
#include <utility>

#include "broker/core/fold.hpp"
#include "broker/core/handlers.hpp"
#include "broker/core/pasts.hpp"
#include "common/model/features.hpp"

namespace taskpipe::broker {
namespace {

std::vector<TaskSlot> placed_on(const State& state, WorkerSlot worker) {
  std::vector<TaskSlot> slots;
  for (TaskSlot slot = state.workers[worker].placed_head; slot.value() != kNoSlot;
       slot = state.tasks[slot].placed()->next) {
    slots.push_back(slot);
  }
  return slots;
}

AttemptKey key_of(const Task& task) { return {task.id, task.epoch(), task.attempt()}; }

ToolOffer without_scripts(const ToolOffer& offer) {
  ToolOffer bare = offer;
  bare.scripts.clear();
  return bare;
}

// What was not known before becomes a record, so that a restart remembers it.
void remember(Turn& turn, WorkerSlot slot, const Hello& hello) {
  State& state = turn.state;
  record::ToolsKnown tools;
  for (const auto& offer : hello.worker->tools) {
    const Tool& tool = state.tools[state.tools.intern(offer.name)];
    if (tool.known_lsn.value() == 0 || tool.offer != without_scripts(offer)) {
      tools.tools.push_back(without_scripts(offer));
    }
  }
  if (!tools.tools.empty()) turn.commit(std::move(tools));
  const Worker& worker = state.workers[slot];
  if (worker.known_lsn.value() == 0 || worker.name != hello.name || worker.host != hello.host ||
      worker.total != hello.worker->resources) {
    turn.commit(
        record::WorkersKnown{{{hello.uuid, hello.name, hello.host, hello.worker->resources}}});
  }
}

void forget_offers(State& state, WorkerSlot slot) {
  Worker& worker = state.workers[slot];
  for (const auto& offered : worker.tools) {
    Tool& tool = state.tools[offered.tool];
    std::erase(tool.workers, slot);
    std::erase(tool.open, slot);
  }
  worker.tools.clear();
  worker.offers.clear();
  ++state.offers_version;
}

void list_offers(State& state, WorkerSlot slot, const Hello& hello) {
  const WorkerOffer& offer = *hello.worker;
  Worker& worker = state.workers[slot];
  const bool fetches_inputs = std::find(hello.features.begin(), hello.features.end(),
                                        kFeatureInputs) != hello.features.end();
  worker.offers = offer.tools;
  for (const auto& tool : offer.tools) {
    OfferedTool offered;
    offered.tool = state.tools.intern(tool.name);
    offered.inline_scripts = tool.inline_scripts;
    offered.fetches_inputs = fetches_inputs;
    for (const auto& script : tool.scripts) offered.scripts.insert(script.name);
    state.tools[offered.tool].workers.push_back(slot);
    worker.tools.push_back(std::move(offered));
  }
  ++state.offers_version;
}

// Closes a list before it exceeds what one message may carry.
void send_reconcile(Turn& turn, const Session& session, Reconcile all) {
  const auto take = [](std::vector<AttemptKey>& from, std::vector<AttemptKey>& to) {
    const std::size_t count = std::min(from.size(), limits::kMaxBatchItems);
    to.assign(from.end() - static_cast<std::ptrdiff_t>(count), from.end());
    from.resize(from.size() - count);
  };
  do {
    Reconcile part;
    take(all.keep, part.keep);
    take(all.kill, part.kill);
    take(all.resend, part.resend);
    take(all.drop, part.drop);
    turn.send(session, Correlation{}, std::move(part));
  } while (!all.keep.empty() || !all.kill.empty() || !all.resend.empty() || !all.drop.empty());
}

// A task of this fence that was requeued but not sent elsewhere goes back to the worker that has
// it.
bool adopt(Turn& turn, WorkerSlot worker, const AttemptKey& key) {
  State& state = turn.state;
  const TaskSlot slot = state.tasks.find(key.task);
  if (slot.value() == kNoSlot || key.attempt.value() == 0) return false;  // 0: never dispatched
  const Task& task = state.tasks[slot];
  if (!std::holds_alternative<phase::Ready>(task.phase) || !task.fence_is(key.epoch, key.attempt)) {
    return false;
  }
  turn.commit(record::TasksDispatched{
      key.epoch, {{state.workers[worker].uuid}}, {{key.task, key.attempt}}});
  return true;
}

// The result of this attempt has had its effect. The others are sent again, and kept with their
// tasks as late ones.
bool has_counted(const State& state, const AttemptKey& key) {
  const TaskSlot slot = state.tasks.find(key.task);
  if (slot.value() == kNoSlot) return false;  // perhaps: only the history knows
  const Task& task = state.tasks[slot];
  if (task.ended() && task.fence_is(key.epoch, key.attempt)) return true;
  return was_retried(state, slot, key);
}

}  // namespace

void attach_worker(Turn& turn, Session& session, const Hello& hello) {
  State& state = turn.state;
  const WorkerSlot slot = state.workers.intern(hello.uuid);
  remember(turn, slot, hello);
  Worker& worker = state.workers[slot];
  forget_offers(state, slot);
  worker.name = hello.name;
  worker.host = hello.host;
  worker.pid = hello.pid;
  if (session.credential) worker.user = session.credential->user;
  worker.session = session.id;
  worker.state = WorkerState::ready;
  worker.last_heard = turn.now.monotonic;
  worker.total = hello.worker->resources;
  worker.free = worker.total;
  worker.slots = hello.worker->slots;
  worker.slots_charged = 0;
  worker.tasks_messages = 0;
  worker.recall_open = worker.recall_in_vain = false;
  const bool restarted = worker.incarnation != 0 && worker.incarnation != hello.incarnation;
  worker.incarnation = hello.incarnation;
  worker.credit_slots = worker.credit_bytes = worker.sent_slots = worker.sent_bytes = 0;
  worker.labels = hello.worker->labels;
  session.worker = slot;
  for (const TaskSlot placed : placed_on(state, slot))
    state.tasks[placed].placed()->charged = false;
  list_offers(state, slot, hello);
  reconcile(turn, session, *hello.worker, restarted);
  state.events.worker_changed({worker.uuid, worker.name, worker.state});
  turn.note(NoteLevel::info, "worker '" + worker.name + "' on " + worker.host + " connected with " +
                                 std::to_string(worker.tools.size()) + " tools and " +
                                 std::to_string(worker.total.cpus) + " cpus");
  watch_silence(state, slot);
  mark_dirty(state, slot);
}

// Compares what the worker has with what it should have. What it no longer has goes back to the
// queue: unstarted work free of charge, started work as lost. A process that took the place of
// another cannot tell what had begun there: all of it may have, and may have been its end.
void reconcile(Turn& turn, const Session& session, const WorkerOffer& offer, bool restarted) {
  State& state = turn.state;
  const WorkerSlot worker = session.worker;
  const std::unordered_set<AttemptKey> running(offer.running.begin(), offer.running.end());
  const std::unordered_set<AttemptKey> ended(offer.unacknowledged.begin(),
                                             offer.unacknowledged.end());
  Reconcile answer;
  record::TasksStarted started{turn.now.wall, {}};
  std::vector<TaskSlot> unstarted;
  std::vector<TaskSlot> lost;
  for (const AttemptKey& key : offer.running) adopt(turn, worker, key);
  for (const AttemptKey& key : offer.unacknowledged) adopt(turn, worker, key);
  for (const TaskSlot slot : placed_on(state, worker)) {
    const Task& task = state.tasks[slot];
    const phase::Placed& placed = *task.placed();
    const AttemptKey key = key_of(task);
    if (running.contains(key)) {
      (placed.cancel_requested ? answer.kill : answer.keep).push_back(key);
      charge(state, slot);
      if (!placed.started) started.items.push_back({task.id, task.attempt()});
    } else if (ended.contains(key)) {
      answer.resend.push_back(key);
    } else {
      (placed.started || restarted ? lost : unstarted).push_back(slot);
    }
  }
  const auto is_placed_here = [&state, worker](const AttemptKey& key) {
    const TaskSlot slot = state.tasks.find(key.task);
    if (slot.value() == kNoSlot) return false;
    const Task& task = state.tasks[slot];
    return task.placed() != nullptr && task.placed()->worker == worker &&
           task.fence_is(key.epoch, key.attempt);
  };
  for (const AttemptKey& key : offer.running) {
    if (!is_placed_here(key)) answer.kill.push_back(key);
  }
  for (const AttemptKey& key : offer.unacknowledged) {
    if (!is_placed_here(key))
      (has_counted(state, key) ? answer.drop : answer.resend).push_back(key);
  }
  if (!started.items.empty()) turn.commit(std::move(started));
  requeue(turn, unstarted, record::RequeueCause::returned);
  requeue(turn, lost, record::RequeueCause::worker_lost);
  send_reconcile(turn, session, std::move(answer));
}

void detach_worker(Turn& turn, WorkerSlot slot) {
  State& state = turn.state;
  Worker& worker = state.workers[slot];
  worker.session = SessionId{};
  worker.state = WorkerState::lost;
  forget_offers(state, slot);
  std::erase_if(state.forwarded_fetches, [&](const auto& entry) {
    if (entry.second.worker != slot) return false;
    if (const Session* client = state.sessions.find(entry.second.session)) {
      turn.refuse(*client, entry.second.correlation, ErrorCode::busy,
                  "worker '" + worker.name + "', which holds this output, disconnected");
    }
    return true;
  });
  state.events.worker_changed({worker.uuid, worker.name, worker.state});
  turn.note(NoteLevel::info, "worker '" + worker.name + "' disconnected with " +
                                 std::to_string(worker.placed_count) + " tasks placed on it");
  if (worker.placed_count > 0) watch_silence(state, slot);
}

void lose_worker(Turn& turn, WorkerSlot slot) {
  State& state = turn.state;
  const Worker& worker = state.workers[slot];
  if (worker.connected()) close_session(turn, worker.session);
  const std::vector<TaskSlot> placed = placed_on(state, slot);
  if (placed.empty()) return;
  turn.note(NoteLevel::warning, "worker '" + worker.name + "' was silent for its whole lease; " +
                                    std::to_string(placed.size()) + " tasks go to others");
  requeue(turn, placed, record::RequeueCause::worker_lost);
}

}  // namespace taskpipe::broker
