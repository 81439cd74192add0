#include "broker/core/worker_table.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::broker {
namespace {

constexpr double kMeanWeight = 0.1;  // of the newest run

}  // namespace

OfferedTool* Worker::offered(ToolIndex tool) {
  return const_cast<OfferedTool*>(std::as_const(*this).offered(tool));
}

const OfferedTool* Worker::offered(ToolIndex tool) const {
  const auto found = std::find_if(tools.begin(), tools.end(),
                                  [tool](const OfferedTool& offer) { return offer.tool == tool; });
  return found == tools.end() ? nullptr : &*found;
}

bool Tool::prefetch() const {
  return mean_run_us >= 0 && mean_run_us < static_cast<double>(limits::kPrefetchBelowMeanUs);
}

void Tool::add_run(std::uint64_t wall_us) {
  const auto run = static_cast<double>(wall_us);
  mean_run_us = mean_run_us < 0 ? run : mean_run_us + kMeanWeight * (run - mean_run_us);
}

WorkerSlot WorkerTable::intern(const PeerUuid& uuid) {
  const auto found = index_.find(uuid);
  if (found != index_.end()) return found->second;
  const WorkerSlot slot(size());
  workers_.emplace_back().uuid = uuid;
  index_.emplace(uuid, slot);
  return slot;
}

std::optional<WorkerSlot> WorkerTable::find(const PeerUuid& uuid) const {
  const auto found = index_.find(uuid);
  if (found == index_.end()) return std::nullopt;
  return found->second;
}

void WorkerTable::link(TaskTable& tasks, WorkerSlot worker, TaskSlot slot) {
  Worker& owner = (*this)[worker];
  phase::Placed* placed = tasks[slot].placed();
  assert(placed != nullptr);
  placed->previous = TaskSlot(kNoSlot);
  placed->next = owner.placed_head;
  if (owner.placed_head.value() != kNoSlot) tasks[owner.placed_head].placed()->previous = slot;
  owner.placed_head = slot;
  ++owner.placed_count;
}

void WorkerTable::unlink(TaskTable& tasks, WorkerSlot worker, TaskSlot slot) {
  Worker& owner = (*this)[worker];
  const phase::Placed* placed = tasks[slot].placed();
  assert(placed != nullptr && owner.placed_count > 0);
  if (placed->previous.value() == kNoSlot) {
    owner.placed_head = placed->next;
  } else {
    tasks[placed->previous].placed()->next = placed->next;
  }
  if (placed->next.value() != kNoSlot) tasks[placed->next].placed()->previous = placed->previous;
  --owner.placed_count;
}

ToolIndex ToolTable::intern(const std::string& name) {
  const auto found = index_.find(name);
  if (found != index_.end()) return found->second;
  const ToolIndex index(size());
  tools_.emplace_back().offer.name = name;
  index_.emplace(name, index);
  return index;
}

std::optional<ToolIndex> ToolTable::find(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) return std::nullopt;
  return found->second;
}

}  // namespace taskpipe::broker
