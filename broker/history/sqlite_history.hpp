// The history in one SQLite file: see schema.hpp for the tables, docs/decisions/0003-history.md for
// the reasons.
//
//   SqliteHistory history(folder / "history.sqlite");
//   history.store(tasks, workflows, Lsn(812));
//
// One broker at a time: `<path>.lock` is locked while the object that writes lives. Programs that
// read the file meanwhile do no harm; one that holds a write lock is waited for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "broker/history/history.hpp"
#include "broker/history/sqlite.hpp"

namespace taskpipe::broker {

struct SqliteHistoryOptions {
  int busy_timeout_ms = 60'000;  // how long another program may hold the write lock
  // Without `own` the file must exist and `store` must not be called. `read_beside` is for a second
  // object beside the one that writes, `read_alone` for a broker that cannot write: the caller
  // keeps other brokers out.
  SqliteAccess access = SqliteAccess::own;
};

class SqliteHistory final : public History {
 public:
  // Creates the file when there is none. Throws std::runtime_error when it cannot be opened, is
  // damaged, is no history, was written by a newer version or is open in another broker.
  explicit SqliteHistory(const std::filesystem::path& path,
                         const SqliteHistoryOptions& options = {});
  ~SqliteHistory() override;

  [[nodiscard]] Lsn watermark() const override;
  [[nodiscard]] Arrival last_arrival() const override;
  void store(std::span<const FinishedTask> tasks, std::span<const FinishedWorkflow> workflows,
             Lsn watermark) override;
  void add_late(std::span<const LateAttempt> attempts) override;
  [[nodiscard]] std::vector<FinishedTask> find_tasks(std::span<const TaskId> ids) override;
  [[nodiscard]] std::vector<FinishedWorkflow> find_workflows(
      std::span<const WorkflowId> ids) override;
  [[nodiscard]] HistoryPage list(const std::string& owner, const QueryFilter& filter,
                                 const std::string& cursor, std::uint32_t limit) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace taskpipe::broker
