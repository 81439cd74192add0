#include "broker/core/workflow_table.hpp"

#include <cassert>

namespace taskpipe::broker {

WorkflowSlot WorkflowTable::insert(WorkflowId id) {
  WorkflowSlot slot(static_cast<std::uint32_t>(workflows_.size()));
  if (free_.empty()) {
    workflows_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  (*this)[slot].id = id;
  [[maybe_unused]] const bool added = index_.emplace(id, slot).second;
  assert(added && "a workflow id is inserted once");
  return slot;
}

void WorkflowTable::erase(WorkflowSlot slot) {
  index_.erase((*this)[slot].id);
  (*this)[slot] = Workflow{};
  free_.push_back(slot);
}

WorkflowSlot WorkflowTable::find(const WorkflowId& id) const {
  const auto found = index_.find(id);
  return found == index_.end() ? WorkflowSlot(kNoSlot) : found->second;
}

}  // namespace taskpipe::broker
