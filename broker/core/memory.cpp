#include "broker/core/memory.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/fold.hpp"

namespace taskpipe::broker {
namespace {

constexpr std::uint64_t kFixedLookupBytes = 256;

template <class Batch>
std::uint64_t memory_of_batch(const Batch& batch) {
  std::uint64_t bytes = kFixedLookupBytes + batch.items.size() * sizeof(SubmitItem);
  for (const auto& item : batch.items) bytes += item.params.size();
  for (const auto& spec : batch.specs) bytes += memory_of(*spec);
  return bytes;
}

struct LookupMemory {
  std::uint64_t operator()(const lookup::Submitting& l) const { return memory_of_batch(l.submit); }
  std::uint64_t operator()(const lookup::SubmittingWorkflow& l) const {
    return memory_of_batch(l.part);
  }
  std::uint64_t operator()(const lookup::Waiting& l) const {
    return kFixedLookupBytes + l.tasks.size() * sizeof(TaskId);
  }
  std::uint64_t operator()(const lookup::WaitingWorkflows& l) const {
    return kFixedLookupBytes + l.workflows.size() * sizeof(WorkflowId);
  }
  std::uint64_t operator()(const lookup::Querying& l) const {
    std::uint64_t bytes = kFixedLookupBytes + l.missing.size() * sizeof(TaskId);
    for (const TaskRow& row : l.rows.rows) {
      bytes += sizeof(TaskRow) + row.message.size() + (row.params ? row.params->size() : 0);
    }
    return bytes;
  }
  std::uint64_t operator()(const lookup::Resubmitting& l) const {
    return kFixedLookupBytes + l.resubmit.items.size() * sizeof(ResubmitItem);
  }
  std::uint64_t operator()(const lookup::Cancelling& l) const {
    return kFixedLookupBytes + l.ack.items.size() * sizeof(CancelCode);
  }
  std::uint64_t operator()(const lookup::Fetching&) const { return kFixedLookupBytes; }
};

std::string in_mib(std::uint64_t bytes) { return std::to_string(bytes >> 20U) + " MiB"; }

}  // namespace

std::uint64_t memory_of(const LiveRun& run) {
  return sizeof(LiveRun) + run.message.size() + run.logs[0].held_bytes() + run.logs[1].held_bytes();
}

std::uint64_t memory_of(const std::vector<PastAttempt>& pasts) {
  std::uint64_t bytes = 0;
  for (const PastAttempt& past : pasts) {
    bytes += sizeof(PastAttempt) + past.worker.size() + past.outcome.reason.size();
  }
  return bytes;
}

std::uint64_t memory_of(const Lookup& lookup) { return std::visit(LookupMemory{}, lookup); }

bool memory_is_full(const State& state, bool begun) {
  const std::uint64_t limit = state.config.memory_limit_bytes;
  return limit != 0 && state.memory.bytes() >= (begun ? limit + limit / 4 : limit);
}

std::optional<Error> why_memory_full(const State& state, bool begun) {
  if (!memory_is_full(state, begun)) return std::nullopt;
  return Error{ErrorCode::busy,
               "the broker holds as much as it may (" + in_mib(state.memory.bytes()) + " of " +
                   in_mib(state.config.memory_limit_bytes) +
                   ", --memory-limit); it takes more once tasks have ended",
               {},
               limits::kBusyRetryMs};
}

// At the bound it goes up and down with each task: that there is room is told when there is some.
void watch_memory(Turn& turn) {
  State& state = turn.state;
  const std::uint64_t limit = state.config.memory_limit_bytes;
  if (!state.memory_full && memory_is_full(state)) {
    state.memory_full = true;
    turn.note(NoteLevel::warning, why_memory_full(state)->text + "; submits are answered BUSY");
  } else if (state.memory_full && state.memory.bytes() < limit - limit / 4) {
    state.memory_full = false;
    turn.note(NoteLevel::info, "there is memory for submits again");
  }
}

std::uint64_t count_memory(const State& state) {
  std::uint64_t bytes = 0;
  std::vector<const TaskSpec*> specs;
  for (TaskSlot slot = state.tasks.newest(); slot.value() != kNoSlot;
       slot = state.tasks[slot].by_arrival.previous) {
    const Task& task = state.tasks[slot];
    bytes += memory_of(task);
    specs.push_back(task.spec.get());
  }
  std::sort(specs.begin(), specs.end());
  specs.erase(std::unique(specs.begin(), specs.end()), specs.end());
  for (const TaskSpec* spec : specs) bytes += memory_of(*spec);
  for (const auto& [id, slot] : state.workflows.all()) bytes += memory_of(state.workflows[slot]);
  for (const auto& [slot, run] : state.runs) bytes += memory_of(run);
  for (const auto& [slot, pasts] : state.pasts) bytes += memory_of(pasts);
  for (const auto& [ticket, lookup] : state.lookups) bytes += memory_of(lookup);
  for (const auto& [id, session] : state.sessions.all()) {
    for (const auto& [workflow, upload] : session.partial_workflows) bytes += upload.held_bytes();
  }
  return bytes;
}

}  // namespace taskpipe::broker
