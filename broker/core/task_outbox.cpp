// TASKS messages under construction: one per worker, closed when it is full or the turn ends.
#include <algorithm>
#include <utility>

#include "broker/core/fold.hpp"
#include "broker/core/handlers.hpp"

namespace taskpipe::broker {
namespace {

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

}  // namespace

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
  worker.recall_in_vain = false;
  worker.outbox_bytes += addition.bytes;
  worker.outbox_blobs += addition.blobs;
  worker.outbox.items.push_back(
      {{task.id, task.epoch(), task.attempt()}, *addition.spec, {{worker.uuid}}, task.params});
  worker.outbox_attempts.push_back({task.id, task.attempt()});
}

}  // namespace taskpipe::broker
