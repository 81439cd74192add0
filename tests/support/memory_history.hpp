// The history without a disk: the reference that the contract suite holds SqliteHistory against,
// and the history of scenarios and of the simulator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "broker/history/history.hpp"

namespace taskpipe::testing {

// Everything is ordered, so that runs repeat exactly. Outlives a simulated broker, as a disk does.
class MemoryHistory final : public broker::History {
 public:
  [[nodiscard]] Lsn watermark() const override { return watermark_; }
  [[nodiscard]] Arrival last_arrival() const override { return last_arrival_; }
  void store(std::span<const broker::FinishedTask> tasks,
             std::span<const broker::FinishedWorkflow> workflows, Lsn watermark) override;
  void add_late(std::span<const broker::LateAttempt> attempts) override;
  [[nodiscard]] std::vector<broker::FinishedTask> find_tasks(std::span<const TaskId> ids) override;
  [[nodiscard]] std::vector<broker::FinishedWorkflow> find_workflows(
      std::span<const WorkflowId> ids) override;
  [[nodiscard]] broker::HistoryPage list(const std::string& owner, const QueryFilter& filter,
                                         const std::string& cursor, std::uint32_t limit) override;

  // For checks by whoever owns the test.
  [[nodiscard]] const std::map<TaskId, broker::FinishedTask>& tasks() const { return tasks_; }
  [[nodiscard]] const std::map<WorkflowId, broker::FinishedWorkflow>& workflows() const {
    return workflows_;
  }

 private:
  std::set<TaskId> repeated_;  // dead letters that others repeat
  // The order of listings: by arrival, then by order of storing.
  using Place = std::pair<Arrival, std::uint64_t>;

  std::map<TaskId, broker::FinishedTask> tasks_;
  std::map<WorkflowId, broker::FinishedWorkflow> workflows_;
  std::map<std::string, std::map<Place, TaskId>> listings_;  // by owner
  std::uint64_t stored_ = 0;
  Lsn watermark_;
  Arrival last_arrival_;
};

}  // namespace taskpipe::testing
