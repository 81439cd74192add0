// The history's contract: finished tasks and workflows, long after the journal has let them go.
//
// Calls are synchronous and come from one thread at a time. (In the broker: one object is written
// by the writer's thread, another beside it is asked by the reader's.) Failures throw
// std::runtime_error with the path and the reason: the broker ends, since a finished task that can
// reach neither journal nor history would be lost. Only a full disk may pass: what is not in the
// history yet stays in the journal, which has a reserve.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "broker/core/finished.hpp"
#include "common/model/ids.hpp"
#include "common/model/messages.hpp"

namespace taskpipe::broker {

// The disk is full: nothing was stored, and the same call may be made again later.
class HistoryFull : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct HistoryPage {
  std::vector<FinishedTask> tasks;  // newest arrival first
  std::string next;                 // cursor of the following page; empty = no more
};

class History {
 public:
  History() = default;
  History(const History&) = delete;
  History& operator=(const History&) = delete;
  virtual ~History() = default;

  // Everything that ended at or below this LSN is here, durably. 0 when empty.
  [[nodiscard]] virtual Lsn watermark() const = 0;

  // The highest arrival number ever stored, 0 when empty: a broker counts on from the higher of
  // this and what its journal tells, since the journal forgets what is here.
  [[nodiscard]] virtual Arrival last_arrival() const = 0;

  // One transaction, durable on return, which also raises the watermark. Rows that exist already
  // are left as they are (replay may offer them again). `watermark` must not be below the present
  // one. Throws HistoryFull when there is no room.
  virtual void store(std::span<const FinishedTask> tasks,
                     std::span<const FinishedWorkflow> workflows, Lsn watermark) = 0;

  // Results that came too late, each kept with its task if that is here and was not decided by that
  // very attempt. One transaction, durable on return; what is known already is left as it is.
  // Throws HistoryFull when there is no room.
  virtual void add_late(std::span<const LateAttempt> attempts) = 0;

  // Those of `ids` that exist, in no particular order. O(ids × log rows).
  [[nodiscard]] virtual std::vector<FinishedTask> find_tasks(std::span<const TaskId> ids) = 0;
  [[nodiscard]] virtual std::vector<FinishedWorkflow> find_workflows(
      std::span<const WorkflowId> ids) = 0;

  // A page of `owner`'s tasks that match, without their past attempts, newest arrival first (of
  // everybody's where `owner` is empty, and then the one that ended last first),
  // `limit` rows at most; it also ends behind the row with which its payloads reach
  // limits::kMaxHistoryPageBytes. An unknown cursor reads as the first page. Rows stored meanwhile
  // never make a later page repeat a row.
  [[nodiscard]] virtual HistoryPage list(const std::string& owner, const QueryFilter& filter,
                                         const std::string& cursor, std::uint32_t limit) = 0;
};

}  // namespace taskpipe::broker
