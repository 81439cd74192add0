// Which worker gets which task.
//
// Two things can make a placement possible: a worker gained room, or a signature gained tasks. Both
// are collected during a turn and served once at its end, in rounds of one task per worker, so that
// work spreads. Nothing here looks at more than the heads of queues.
#include <algorithm>
#include <utility>

#include "broker/core/fold.hpp"
#include "broker/core/handlers.hpp"

namespace taskpipe::broker {
namespace {

bool serves(const OfferedTool& offered, const Signature& signature) {
  if (signature.inline_script) return offered.inline_scripts;
  return signature.script.empty() || offered.scripts.empty() ||
         offered.scripts.contains(signature.script);
}

// Closes the TASKS message under construction: the record first, then the message that reveals it.
void close_outbox(Turn& turn, WorkerSlot slot) {
  Worker& worker = turn.state.workers[slot];
  if (worker.outbox.items.empty()) return;
  turn.commit_folded(record::TasksDispatched{
      turn.state.epoch, {{worker.uuid}}, std::exchange(worker.outbox_attempts, {})});
  if (const Session* session = turn.state.sessions.find(worker.session)) {
    // Numbered, so that the worker notices a message that was lost or comes again.
    const Correlation number{++worker.tasks_messages};
    turn.send(*session, number, std::exchange(worker.outbox, Tasks{}));
  }
  worker.outbox = Tasks{};
  worker.outbox_bytes = 0;
  worker.outbox_blobs = 0;
}

// Where the spec stands in the message under construction, when it is one of the newest there.
std::optional<std::uint32_t> place_of(const std::vector<TaskSpecPtr>& specs,
                                      const TaskSpecPtr& spec) {
  constexpr std::size_t kLookBack =
      4;  // tasks of a batch share their spec; more is not worth a scan
  for (std::size_t back = 0; back < std::min(kLookBack, specs.size()); ++back) {
    if (specs[specs.size() - 1 - back] == spec) {
      return static_cast<std::uint32_t>(specs.size() - 1 - back);
    }
  }
  return std::nullopt;
}

// What a task adds to the message under construction.
struct Addition {
  std::optional<std::uint32_t> spec;  // absent = it brings its own
  std::size_t bytes = 0;              // at most
  std::size_t blobs = 0;
};

Addition addition_of(const Tasks& message, const Task& task) {
  constexpr std::size_t kFixedItemBytes = 64;
  constexpr std::size_t kFixedSpecBytes = 256;
  constexpr std::size_t kFixedEntryBytes = 16;  // of a label or a named resource
  Addition addition{place_of(message.specs, task.spec), kFixedItemBytes + task.params.size(), 0};
  if (task.params.size() > limits::kMaxInlinePayloadBytes) ++addition.blobs;
  if (addition.spec) return addition;
  const TaskSpec& spec = *task.spec;
  addition.bytes += kFixedSpecBytes + text_bytes_of(spec) +
                    kFixedEntryBytes * (spec.labels.size() + spec.resources.named.size());
  if (spec.inline_script.size() > limits::kMaxInlinePayloadBytes) ++addition.blobs;
  return addition;
}

void put_task(Turn& turn, WorkerSlot slot, TaskSlot task_slot) {
  Worker& worker = turn.state.workers[slot];
  const Task& task = turn.state.tasks[task_slot];
  Addition addition = addition_of(worker.outbox, task);
  if (worker.outbox.items.size() >= limits::kMaxBatchItems ||
      worker.outbox_bytes + addition.bytes > limits::kMaxBatchBytes ||
      worker.outbox_blobs + addition.blobs > limits::kMaxBlobs) {
    close_outbox(turn, slot);
    addition = addition_of(worker.outbox, task);
  }
  if (worker.outbox.items.empty()) turn.state.workers_with_outbox.push_back(slot);
  if (!addition.spec) {
    addition.spec = static_cast<std::uint32_t>(worker.outbox.specs.size());
    worker.outbox.specs.push_back(task.spec);
  }
  worker.outbox_bytes += addition.bytes;
  worker.outbox_blobs += addition.blobs;
  worker.outbox.items.push_back(
      {{task.id, task.epoch, task.attempt}, *addition.spec, {{worker.uuid}}, task.params});
  worker.outbox_attempts.push_back({task.id, task.attempt});
}

bool has_credit(const Worker& worker, std::size_t bytes) {
  if (worker.free_credit() == 0) return false;
  // A task larger than the whole window may go when nothing else is on its way.
  return worker.sent_bytes + bytes <= worker.credit_bytes || worker.placed_count == 0;
}

bool has_room(const Worker& worker, const Signature& signature, bool prefetch) {
  if (prefetch) return fits(signature.need, worker.total);
  return worker.slots_charged < worker.slots && fits(signature.need, worker.free);
}

// Gives up to `most` tasks of the signature's head to the worker; returns how many.
std::size_t give(Turn& turn, WorkerSlot slot, Signature& signature, std::size_t most) {
  State& state = turn.state;
  Worker& worker = state.workers[slot];
  Tool& tool = state.tools[signature.tool];
  const bool prefetch = tool.prefetch();
  std::size_t given = 0;
  while (given < most) {
    const TaskSlot head = signature.queue.head(state.tasks);
    if (head.value() == kNoSlot) break;
    const Task& task = state.tasks[head];
    if (!has_credit(worker, task.params.size()) || !has_room(worker, signature, prefetch)) break;
    signature.queue.pop();
    fold_dispatch(state, head, slot, state.epoch, task.attempt.next());
    if (!prefetch) charge(state, head);
    ++worker.sent_slots;
    worker.sent_bytes += task.params.size() + task.spec->inline_script.size();
    put_task(turn, slot, head);
    ++given;
  }
  return given;
}

// One round's share: a single task, or of short ones as many as keep all open workers equally busy.
std::size_t share_of(const Tool& tool, const Signature& signature) {
  if (!tool.prefetch()) return 1;
  const std::size_t workers = std::max<std::size_t>(tool.open.size(), 1);
  return std::clamp<std::size_t>(signature.queue.size() / workers, 1, limits::kMaxBatchItems);
}

// The worker's best signature: highest priority, then oldest arrival, among those with room.
Signature* best_for(State& state, const Worker& worker) {
  Signature* best = nullptr;
  const Task* best_head = nullptr;
  for (const auto& offered : worker.tools) {
    const Tool& tool = state.tools[offered.tool];
    for (const SignatureIndex index : tool.signatures) {
      Signature& signature = state.signatures[index];
      if (signature.queue.size() == 0 || !serves(offered, signature)) continue;
      const TaskSlot slot = signature.queue.head(state.tasks);
      if (slot.value() == kNoSlot || !has_room(worker, signature, tool.prefetch())) continue;
      const Task& head = state.tasks[slot];
      const bool better =
          best_head == nullptr || head.spec->priority > best_head->spec->priority ||
          (head.spec->priority == best_head->spec->priority && head.arrival < best_head->arrival);
      if (!better) continue;
      best = &signature;
      best_head = &head;
    }
  }
  return best;
}

void list_open(State& state, WorkerSlot slot) {
  for (auto& offered : state.workers[slot].tools) {
    if (std::exchange(offered.listed_open, true)) continue;
    state.tools[offered.tool].open.push_back(slot);
  }
}

// Workers that gained room take turns until nobody can take more.
void serve_workers(Turn& turn) {
  State& state = turn.state;
  std::vector<WorkerSlot> hungry;
  for (const WorkerSlot slot : std::exchange(state.dirty_workers, {})) {
    Worker& worker = state.workers[slot];
    worker.dirty = false;
    if (!worker.accepts_work()) continue;
    list_open(state, slot);
    hungry.push_back(slot);
  }
  while (!hungry.empty()) {
    std::erase_if(hungry, [&](WorkerSlot slot) {
      const Worker& worker = state.workers[slot];
      if (worker.free_credit() == 0) return true;
      Signature* signature = best_for(state, worker);
      if (signature == nullptr) return true;
      return give(turn, slot, *signature, share_of(state.tools[signature->tool], *signature)) == 0;
    });
  }
}

bool saturated(const Worker& worker) {
  return !worker.accepts_work() || worker.free_credit() == 0 ||
         (worker.free.cpus == 0 && worker.slots_charged > 0);
}

// A signature that gained tasks offers them to the workers that may have room, round by round.
void spread_signature(Turn& turn, Signature& signature) {
  State& state = turn.state;
  Tool& tool = state.tools[signature.tool];
  bool progress = true;
  while (progress && signature.queue.size() > 0) {
    progress = false;
    std::size_t left = tool.open.size();
    while (left-- > 0 && signature.queue.size() > 0 && !tool.open.empty()) {
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
      if (serves(*offered, signature) &&
          give(turn, slot, signature, share_of(tool, signature)) > 0) {
        progress = true;
      }
    }
  }
}

}  // namespace

void place_tasks(Turn& turn) {
  State& state = turn.state;
  serve_workers(turn);
  for (const SignatureIndex index : std::exchange(state.fresh_signatures, {})) {
    Signature& signature = state.signatures[index];
    signature.fresh = false;
    spread_signature(turn, signature);
  }
  for (const WorkerSlot slot : std::exchange(state.workers_with_outbox, {})) {
    close_outbox(turn, slot);
  }
}

}  // namespace taskpipe::broker
