// The implementations under test, and rows to give them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
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

// `beside`: SQLite, written by one object and read by another, as the broker does.
enum class Implementation { memory, sqlite, beside };
inline const char* name_of(Implementation implementation) {
  switch (implementation) {
    case Implementation::memory: return "memory";
    case Implementation::sqlite: return "sqlite";
    case Implementation::beside: return "beside";
  }
  return "?";
}
inline void PrintTo(Implementation implementation, std::ostream* out) {
  *out << name_of(implementation);
}
inline std::string name_of_case(const ::testing::TestParamInfo<Implementation>& info) {
  return name_of(info.param);
}

// Asks the one that reads, gives to the one that writes.
class HistoryBeside final : public History {
 public:
  explicit HistoryBeside(const std::filesystem::path& path)
      : writer_(path), reader_(path, {.access = SqliteAccess::read_beside}) {}
  [[nodiscard]] Lsn watermark() const override { return writer_.watermark(); }
  [[nodiscard]] Arrival last_arrival() const override { return writer_.last_arrival(); }
  void store(std::span<const FinishedTask> tasks, std::span<const FinishedWorkflow> workflows,
             Lsn watermark) override {
    writer_.store(tasks, workflows, watermark);
  }
  void add_late(std::span<const LateAttempt> attempts) override { writer_.add_late(attempts); }
  [[nodiscard]] std::vector<FinishedTask> find_tasks(std::span<const TaskId> ids) override {
    return reader_.find_tasks(ids);
  }
  [[nodiscard]] std::vector<FinishedWorkflow> find_workflows(
      std::span<const WorkflowId> ids) override {
    return reader_.find_workflows(ids);
  }
  [[nodiscard]] HistoryPage list(const std::string& owner, const QueryFilter& filter,
                                 const std::string& cursor, std::uint32_t limit) override {
    return reader_.list(owner, filter, cursor, limit);
  }

 private:
  SqliteHistory writer_;
  SqliteHistory reader_;
};

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
    const auto path = folder_ / "history.db";
    if (GetParam() == Implementation::beside) {
      history_ = std::make_unique<HistoryBeside>(path);
    } else {
      history_ = std::make_unique<SqliteHistory>(path);
    }
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
