// The implementations under test, and rows to give them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "broker/history/history.hpp"
#include "broker/history/sqlite_history.hpp"
#include "tests/support/memory_history.hpp"
#include "tests/support/temporary_folder.hpp"

namespace taskpipe::broker {

inline bool operator==(const FinishedTask& a, const FinishedTask& b) {
  return a.id == b.id && a.workflow == b.workflow && a.owner == b.owner && *a.spec == *b.spec &&
         a.params == b.params && a.params_hash == b.params_hash && a.arrival == b.arrival &&
         a.epoch == b.epoch && a.attempt == b.attempt && a.placements == b.placements &&
         a.worker == b.worker && a.outcome == b.outcome && a.submitted == b.submitted &&
         a.started == b.started && a.finished == b.finished && a.terminal_lsn == b.terminal_lsn &&
         a.original == b.original && a.pasts == b.pasts;
}
inline bool operator==(const FinishedWorkflow& a, const FinishedWorkflow& b) {
  return a.id == b.id && a.owner == b.owner && a.name == b.name && a.on_failure == b.on_failure &&
         a.tasks == b.tasks && a.succeeded == b.succeeded && a.submitted == b.submitted &&
         a.finished == b.finished && a.terminal_lsn == b.terminal_lsn;
}
inline void PrintTo(const FinishedTask& task, std::ostream* out) {
  *out << "task " << task.id.to_string() << " arrival " << task.arrival.value();
}

namespace contract {

enum class Implementation { memory, sqlite };
inline void PrintTo(Implementation implementation, std::ostream* out) {
  *out << (implementation == Implementation::memory ? "memory" : "sqlite");
}

inline std::string name_of_case(const ::testing::TestParamInfo<Implementation>& info) {
  return info.param == Implementation::memory ? "memory" : "sqlite";
}

class HistoryContract : public ::testing::TestWithParam<Implementation> {
 protected:
  HistoryContract() { reopen(); }

  [[nodiscard]] History& history() { return *history_; }
  // What a restart of the broker does.
  void reopen() {
    if (GetParam() == Implementation::memory) {
      if (!history_) history_ = std::make_unique<taskpipe::testing::MemoryHistory>();
      return;
    }
    history_.reset();
    history_ = std::make_unique<SqliteHistory>(folder_ / "history.db");
  }
  void store(const std::vector<FinishedTask>& tasks, std::uint64_t watermark) {
    history().store(tasks, {}, Lsn(watermark));
  }
  [[nodiscard]] std::optional<FinishedTask> find(const TaskId& id) {
    const auto found = history().find_tasks(std::vector{id});
    return found.empty() ? std::nullopt : std::optional(found.front());
  }
  [[nodiscard]] std::optional<FinishedWorkflow> find(const WorkflowId& id) {
    const auto found = history().find_workflows(std::vector{id});
    return found.empty() ? std::nullopt : std::optional(found.front());
  }

 private:
  taskpipe::testing::TemporaryFolder folder_;
  std::unique_ptr<History> history_;
};

inline TaskSpecPtr plain_spec(const std::string& tool = "shell") {
  TaskSpec spec;
  spec.tool = tool;
  return std::make_shared<const TaskSpec>(spec);
}

// The n-th task of a broker's life, successful, its arrival number n.
inline FinishedTask plain_task(std::uint32_t n, const std::string& owner = "ada") {
  FinishedTask task;
  task.id = TaskIdPrefix{1'769'860'800'123, 42}.id(n);
  task.owner = owner;
  task.spec = plain_spec();
  task.arrival = Arrival(n);
  task.outcome.state = TaskState::success;
  task.terminal_lsn = Lsn(n);
  return task;
}

inline std::vector<FinishedTask> plain_tasks(std::uint32_t first, std::uint32_t last) {
  std::vector<FinishedTask> tasks;
  const auto spec = plain_spec();
  for (std::uint32_t n = first; n <= last; ++n) {
    tasks.push_back(plain_task(n));
    tasks.back().spec = spec;
  }
  return tasks;
}

}  // namespace contract
}  // namespace taskpipe::broker
