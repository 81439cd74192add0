// Workflows that have not ended, and ended ones that the history does not have yet.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "broker/core/task_table.hpp"
#include "common/model/workflow.hpp"

namespace taskpipe::broker {

struct Member {
  TaskId id;
  TaskSlot slot{kNoSlot};  // kNoSlot once the task has moved to the history
  bool ended = false;
  TaskState state = TaskState::pending;  // once ended
  std::vector<std::uint32_t> after;
  std::vector<std::uint32_t> dependents;
};

struct Workflow {
  WorkflowId id;
  OwnerIndex owner;
  std::string name;
  OnFailure on_failure = OnFailure::run_dependents;
  std::vector<Member> members;
  std::uint32_t ended = 0;
  std::uint32_t succeeded = 0;
  WallTime submitted;
  WallTime finished;
  Lsn terminal_lsn;  // of the record that ended its last task; 0 = live
  Lsn home_lsn;
  std::vector<SessionId> waiters;

  [[nodiscard]] bool done() const { return ended == members.size(); }
};

class WorkflowTable {
 public:
  WorkflowSlot insert(WorkflowId id);
  void erase(WorkflowSlot slot);
  [[nodiscard]] WorkflowSlot find(const WorkflowId& id) const;
  [[nodiscard]] Workflow& operator[](WorkflowSlot slot) { return workflows_[slot.value()]; }
  [[nodiscard]] const Workflow& operator[](WorkflowSlot slot) const {
    return workflows_[slot.value()];
  }
  // By id; for carrying forward and invariants.
  [[nodiscard]] const std::map<WorkflowId, WorkflowSlot>& all() const { return index_; }

 private:
  std::deque<Workflow> workflows_;
  std::vector<WorkflowSlot> free_;
  std::map<WorkflowId, WorkflowSlot> index_;
};

}  // namespace taskpipe::broker
