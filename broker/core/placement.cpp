// Which worker gets which task.
//
// Two things can make a placement possible: a worker gained room, or a signature gained tasks. Both
// are collected during a turn and served once at its end, in rounds of one task per worker, so that
// work spreads. Only heads of queues are looked at, best first, and a bounded number of them: a
// search that comes to its bound goes on in the next turn, which follows at once.
//
// A worker that dies takes along whatever had begun on it, and nobody can tell which task was to
// blame. Each loss therefore counts for all that may have begun, and makes the next placement more
// careful (see Care), until one is alone: only what is lost alone, with all other chances used up,
// ends for it. So a task that kills its workers ends after limits::kMaxWorkerLosses + 1 runs, and
// nothing that merely ran beside it ends with it.
#include <algorithm>
#include <utility>

#include "broker/core/fold.hpp"
#include "broker/core/handlers.hpp"

namespace taskpipe::broker {
namespace {

bool has_credit(const Worker& worker, std::size_t bytes) {
  if (worker.free_credit() == 0) return false;
  // A task larger than the whole window may go when nothing else is on its way.
  return worker.sent_bytes + bytes <= worker.credit_bytes || worker.placed_count == 0;
}

// Of a task that runs alone, or of one that is to come.
bool is_taken(const State& state, WorkerSlot slot) {
  if (state.reserved && state.reserved->worker == slot) return true;
  const Worker& worker = state.workers[slot];
  return worker.placed_count == 1 && care_of(state, state.tasks[worker.placed_head]) == Care::alone;
}

bool sent_ahead(const State& state, const Signature& signature) {
  return signature.care == Care::none && state.tools[signature.tool].prefetch();
}

// For a task of another signature. Whoever is first in the queue of the one that waits may have the
// place: another may have come before it since.
bool is_kept_for_another(const State& state, WorkerSlot slot, const Signature& signature) {
  if (!state.reserved || state.reserved->worker != slot) return false;
  const auto* ready = std::get_if<phase::Ready>(&state.tasks[state.reserved->task].phase);
  return ready != nullptr && &state.signatures[ready->signature] != &signature;
}

bool has_room(const State& state, WorkerSlot slot, const Signature& signature) {
  const Worker& worker = state.workers[slot];
  if (signature.care == Care::alone) {
    return worker.placed_count == 0 && !is_kept_for_another(state, slot, signature) &&
           fits(signature.need, worker.free);
  }
  if (is_taken(state, slot)) return false;
  if (sent_ahead(state, signature)) return fits(signature.need, worker.total);
  return worker.slots_charged < worker.slots && fits(signature.need, worker.free);
}

// Gives up to `most` tasks of the signature's head to the worker; returns how many.
std::size_t give(Turn& turn, WorkerSlot slot, SignatureIndex index, std::size_t most) {
  State& state = turn.state;
  Worker& worker = state.workers[slot];
  Signature& signature = state.signatures[index];
  const bool ahead = sent_ahead(state, signature);
  std::size_t given = 0;
  while (given < most) {
    const TaskSlot head = signature.queue.head(state.tasks);
    if (head.value() == kNoSlot) break;
    const Task& task = state.tasks[head];
    if (!has_credit(worker, task.params.size()) || !has_room(state, slot, signature)) break;
    const bool was_kept = state.reserved && state.reserved->worker == slot;
    if (was_kept || (state.reserved && state.reserved->task == head)) state.reserved.reset();
    signature.queue.pop();
    fold_dispatch(state, head, slot, state.epoch, task.attempt().next());
    if (!ahead) charge(state, head);
    ++worker.sent_slots;
    worker.sent_bytes += task.params.size() + task.spec->inline_script.size();
    put_task(turn, slot, head);
    ++given;
  }
  if (given > 0) relist(state, index);
  return given;
}

// One round's share: a single task, or of short ones as many as keep all open workers equally busy.
std::size_t share_of(const State& state, const Signature& signature) {
  if (!sent_ahead(state, signature)) return 1;
  const std::size_t workers = std::max<std::size_t>(state.tools[signature.tool].open.size(), 1);
  return std::clamp<std::size_t>(signature.queue.size() / workers, 1, limits::kMaxBatchItems);
}

// A task that has to run alone waits for a worker that is busy: that one is to become empty.
void reserve_for(State& state, WorkerSlot slot, const Signature& signature) {
  const Worker& worker = state.workers[slot];
  if (state.reserved || signature.care != Care::alone || worker.placed_count == 0) return;
  if (is_taken(state, slot) || !fits(signature.need, worker.total)) return;
  const TaskSlot task = signature.queue.front();
  state.reserved = State::Reservation{slot, task, state.tasks[task].ticket};
}

// The task has gone elsewhere or has ended, or the worker takes no work any more.
void check_reservation(State& state) {
  if (!state.reserved) return;
  const auto [slot, task, ticket] = *state.reserved;
  const auto* ready = std::get_if<phase::Ready>(&state.tasks[task].phase);
  const bool same = ready != nullptr && state.tasks[task].ticket == ticket;
  if (same && state.workers[slot].accepts_work()) return;
  state.reserved.reset();
  mark_dirty(state, slot);
  // Another task may be waiting for a worker of its own.
  if (ready != nullptr) state.signatures[ready->signature].fresh = true;
  if (ready != nullptr) state.fresh_signatures.push_back(ready->signature);
}

struct Found {
  std::optional<HeadKey> best;
  bool broken_off = false;  // the bound was reached; the search goes on in the next turn
};

// Looks through the heads of one tool for the first that the worker can take, as long as they are
// better than what was found.
void search_tool(State& state, WorkerSlot slot, OfferedTool& offered, std::size_t& looks,
                 Found& found) {
  const auto& heads = state.tools[offered.tool].heads;
  auto at = offered.resume ? heads.lower_bound(*offered.resume) : heads.begin();
  offered.resume.reset();
  while (at != heads.end() && !(found.best && *found.best < *at)) {
    if (looks == 0) {
      offered.resume = *at;
      found.broken_off = true;
      return;
    }
    --looks;
    ++state.placement_looks;
    const HeadKey key = *at;
    Signature& signature = state.signatures[key.signature];
    relist(state, key.signature);  // its head may have been cancelled: then it moves
    at = heads.upper_bound(key);
    if (!signature.listed) continue;
    if (key < *signature.listed) continue;  // it stands further behind now, and is met there
    if (!serves(offered, signature)) continue;
    reserve_for(state, slot, signature);
    if (!has_room(state, slot, signature)) continue;
    found.best = signature.listed;
    break;
  }
  offered.walked = true;
}

// The worker's best signature: highest priority, then oldest arrival, among those with room.
Found find_work(State& state, WorkerSlot slot) {
  Worker& worker = state.workers[slot];
  if (!std::exchange(worker.searching, false)) {
    for (auto& offered : worker.tools) {
      offered.resume.reset();
      offered.walked = false;
    }
  }
  Found found;
  if (worker.placed_count > 0 && is_taken(state, slot)) return found;
  // Every task takes a cpu, unless it is sent ahead.
  const bool full = worker.slots_charged >= worker.slots || worker.free.cpus == 0;
  std::size_t looks = limits::kMaxPlacementLooks;
  for (auto& offered : worker.tools) {
    if (offered.walked || (full && !state.tools[offered.tool].prefetch())) continue;
    search_tool(state, slot, offered, looks, found);
  }
  return found;
}

void search_on(State& state, WorkerSlot slot) {
  mark_dirty(state, slot);
  state.workers[slot].searching = true;
}

void list_open(State& state, WorkerSlot slot) {
  for (auto& offered : state.workers[slot].tools) {
    if (std::exchange(offered.listed_open, true)) continue;
    state.tools[offered.tool].open.push_back(slot);
  }
}

// False when the worker takes no more in this turn.
bool serve_once(Turn& turn, WorkerSlot slot) {
  State& state = turn.state;
  if (state.workers[slot].free_credit() == 0) return false;
  const Found found = find_work(state, slot);
  if (!found.best) {
    if (found.broken_off) search_on(state, slot);
    return false;
  }
  const SignatureIndex index = found.best->signature;
  return give(turn, slot, index, share_of(state, state.signatures[index])) > 0;
}

// Workers that gained room take turns until nobody can take more; returns who was served.
std::vector<WorkerSlot> serve_workers(Turn& turn) {
  State& state = turn.state;
  std::vector<WorkerSlot> hungry;
  for (const WorkerSlot slot : std::exchange(state.dirty_workers, {})) {
    Worker& worker = state.workers[slot];
    worker.dirty = false;
    if (!worker.accepts_work()) continue;
    list_open(state, slot);
    hungry.push_back(slot);
  }
  std::vector<WorkerSlot> served = hungry;
  while (!hungry.empty()) {
    std::erase_if(hungry, [&](WorkerSlot slot) { return !serve_once(turn, slot); });
  }
  return served;
}

bool saturated(const Worker& worker) {
  return !worker.accepts_work() || worker.free_credit() == 0 ||
         (worker.free.cpus == 0 && worker.slots_charged > 0);
}

// A signature that gained tasks offers them to the workers that may have room, round by round.
void spread_signature(Turn& turn, SignatureIndex index) {
  State& state = turn.state;
  Signature& signature = state.signatures[index];
  Tool& tool = state.tools[signature.tool];
  bool progress = true;
  while (progress && signature.queue.size() > 0) {
    progress = false;
    std::size_t left = tool.open.size();
    while (left-- > 0 && signature.queue.size() > 0 && !tool.open.empty()) {
      ++state.placement_looks;
      if (tool.next_open >= tool.open.size()) tool.next_open = 0;
      const WorkerSlot slot = tool.open[tool.next_open];
      Worker& worker = state.workers[slot];
      OfferedTool* offered = worker.offered(signature.tool);
      if (saturated(worker)) {  // it is listed again when it gains room
        if (!tool.prefetch() || worker.free_credit() == 0 || !worker.accepts_work()) {
          offered->listed_open = false;
          tool.open[tool.next_open] = tool.open.back();
          tool.open.pop_back();
          continue;
        }
      }
      ++tool.next_open;
      if (!serves(*offered, signature)) continue;
      if (signature.queue.head(state.tasks).value() == kNoSlot) return;
      reserve_for(state, slot, signature);
      if (give(turn, slot, index, share_of(state, signature)) > 0) progress = true;
    }
  }
}

// As many as the turn's bound allows; the others are offered in the next.
void spread_fresh(Turn& turn) {
  State& state = turn.state;
  const std::uint64_t looks_before = state.placement_looks;
  std::vector<SignatureIndex> fresh = std::exchange(state.fresh_signatures, {});
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    if (state.placement_looks - looks_before >= limits::kMaxSpreadLooks) {
      state.fresh_signatures.assign(fresh.begin() + static_cast<std::ptrdiff_t>(i), fresh.end());
      return;
    }
    state.signatures[fresh[i]].fresh = false;
    spread_signature(turn, fresh[i]);
  }
}

}  // namespace

bool serves(const OfferedTool& offered, const Signature& signature) {
  // A worker of an earlier release would start the task without them.
  if (signature.has_inputs && !offered.fetches_inputs) return false;
  if (signature.inline_script) return offered.inline_scripts;
  return signature.script.empty() || offered.scripts.empty() ||
         offered.scripts.contains(signature.script);
}

void place_tasks(Turn& turn) {
  State& state = turn.state;
  check_reservation(state);
  const std::vector<WorkerSlot> served = serve_workers(turn);
  spread_fresh(turn);
  for (const WorkerSlot slot : served) recall_for(turn, slot);
  for (const WorkerSlot slot : std::exchange(state.workers_with_outbox, {})) {
    close_outbox(turn, slot);
  }
  if (state.fresh_signatures.empty()) state.signatures.release_idle();
}

}  // namespace taskpipe::broker
