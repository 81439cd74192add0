#include "broker/core/memory_ledger.hpp"

#include "broker/core/finished.hpp"
#include "broker/core/fold.hpp"

namespace taskpipe::broker {
namespace {

// Of the table's index, the ready queue and the lists of what ended.
constexpr std::uint64_t kIndexBytes = 32;

// A payload's header, and the allocator's.
std::uint64_t memory_of(const Payload& payload) {
  constexpr std::uint64_t kOverheadBytes = 24;
  return payload.empty() ? 0 : payload.size() + kOverheadBytes;
}

std::uint64_t memory_of(const phase::Ended& end) {
  // The row for the history repeats what has no fixed length by reference only.
  return sizeof(FinishedTask) + end.outcome.reason.size() + memory_of(end.outcome.report);
}

}  // namespace

std::uint64_t memory_of(const Task& task) {
  const std::uint64_t bytes = sizeof(Task) + kIndexBytes + memory_of(task.params) +
                              (task.execution ? sizeof(Execution) : 0);
  return task.ended() ? bytes + memory_of(task.end()) : bytes;
}

std::uint64_t memory_of(const TaskSpec& spec) {
  return sizeof(TaskSpec) + text_bytes_of(spec) + spec.labels.size() * sizeof(Label) +
         spec.resources.named.size() * sizeof(NamedResource);
}

std::uint64_t memory_of(const Workflow& workflow) {
  std::uint64_t bytes = sizeof(Workflow) + workflow.name.size();
  for (const Member& member : workflow.members) {
    bytes += sizeof(Member) + sizeof(std::uint32_t) * 2 * member.after.size();  // and back again
  }
  return bytes;
}

void MemoryLedger::task_added(const Task& task) {
  held_ += memory_of(task);
  if (task.spec.tasks() == 1) held_ += memory_of(*task.spec);
}

void MemoryLedger::task_ended(const Task& task) { held_ += memory_of(task.end()); }

void MemoryLedger::task_removed(const Task& task) {
  held_ -= memory_of(task);
  if (task.spec.tasks() == 1) held_ -= memory_of(*task.spec);
}

void MemoryLedger::workflow_added(const Workflow& workflow) { held_ += memory_of(workflow); }
void MemoryLedger::workflow_removed(const Workflow& workflow) { held_ -= memory_of(workflow); }

}  // namespace taskpipe::broker
