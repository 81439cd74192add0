// A history that holds nothing, to be given what a test is about; and rows for one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "broker/history/history.hpp"

namespace taskpipe::broker {

class EmptyHistory : public History {
 public:
  [[nodiscard]] Lsn watermark() const override { return {}; }
  [[nodiscard]] Arrival last_arrival() const override { return {}; }
  void store(std::span<const FinishedTask> /*tasks*/,
             std::span<const FinishedWorkflow> /*workflows*/, Lsn /*watermark*/) override {}
  void add_late(std::span<const LateAttempt> /*attempts*/) override {}
  [[nodiscard]] std::vector<FinishedTask> find_tasks(std::span<const TaskId> /*ids*/) override {
    return {};
  }
  [[nodiscard]] std::vector<FinishedWorkflow> find_workflows(
      std::span<const WorkflowId> /*ids*/) override {
    return {};
  }
  [[nodiscard]] HistoryPage list(const std::string& /*owner*/, const QueryFilter& /*filter*/,
                                 const std::string& /*cursor*/, std::uint32_t /*limit*/) override {
    return {};
  }
};

inline FinishedTask task(std::uint32_t number) {
  FinishedTask task;
  task.spec = std::make_shared<const TaskSpec>();
  task.id = TaskIdPrefix{1, 1}.id(number);
  return task;
}

}  // namespace taskpipe::broker
