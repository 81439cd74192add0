// Every live task, and every finished one that the history does not have yet.
//
// Tasks lie in a slab and are named by slot; a slot is reused after `erase`. Two intrusive lists
// run through them: by arrival (for listings) and by home (the order in which their newest whole
// copy lies in the journal, for carrying forward). All operations but `order_by_arrival` are O(1),
// or O(log n) where a place in the list by arrival is looked up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <variant>
#include <vector>

#include "broker/core/name_table.hpp"
#include "broker/core/spec_table.hpp"
#include "common/model/ids.hpp"
#include "common/model/task.hpp"
#include "common/model/time.hpp"

namespace taskpipe::broker {

using TaskSlot = StrongId<struct TaskSlotTag, std::uint32_t>;
using WorkerSlot = StrongId<struct WorkerSlotTag, std::uint32_t>;
using WorkflowSlot = StrongId<struct WorkflowSlotTag, std::uint32_t>;
using SignatureIndex = StrongId<struct SignatureTag, std::uint32_t>;
inline constexpr std::uint32_t kNoSlot = 0xffffffffU;

namespace phase {

// Pending: dependencies have not ended yet.
struct Waiting {
  std::uint32_t open_dependencies = 0;
};
// Pending: in the ready queue of `signature`, as the entry with the task's own ticket; one with
// another is out of date.
struct Ready {
  SignatureIndex signature;
};
// Pending: an attempt failed, and the next is not due before Task::ready_at.
struct Delayed {};
// Execution::placed says where, and Execution::end how.
struct AtWorker {};
struct Over {};

// Pending or running: given to a worker, whether or not it has started.
struct Placed {
  WorkerSlot worker;
  bool started = false;
  bool charged = false;  // its resources are taken from the worker's free ones
  bool cancel_requested = false;
  std::uint32_t cancel_grace_ms = 0;
  TaskSlot previous{kNoSlot};  // list of the worker's tasks
  TaskSlot next{kNoSlot};
};
struct Ended {
  Outcome outcome;
  WorkerSlot worker{kNoSlot};
  WallTime finished;
  Lsn terminal_lsn;
};

}  // namespace phase

// Small, since a million tasks may wait: what is larger lies in the task's Execution.
using Phase =
    std::variant<phase::Waiting, phase::Ready, phase::Delayed, phase::AtWorker, phase::Over>;

// What only a task has that was given to a worker before, or has ended.
struct Execution {
  Epoch epoch;      // of the newest dispatch; 0 = never dispatched, or it has failed
  Attempt attempt;  // the highest used so far
  std::uint32_t worker_losses = 0;
  std::uint32_t failures = 0;  // attempts that failed and were tried again
  WallTime started;
  phase::Placed placed;  // while the phase is AtWorker
  phase::Ended end;      // once the phase is Over
};
// Of all others.
inline const Execution kNoExecution{};

struct ListLinks {
  TaskSlot previous{kNoSlot};
  TaskSlot next{kNoSlot};
};

struct Task {
  TaskId id;
  HeldSpec spec;
  Payload params;
  ParamsHash params_hash;
  Arrival arrival;
  OwnerIndex owner;
  WorkflowSlot workflow{kNoSlot};
  std::uint32_t member = 0;  // index within the workflow
  std::uint32_t waiter = 0;  // low half of a waiting session's id, 0 = none; more in State::waiters
  std::uint32_t ticket = 0;  // of the newest Ready phase
  bool ending = false;       // its end is being put into a record just now
  WallTime submitted;
  WallTime ready_at;  // since when, or from when on, it may be placed
  Lsn home_lsn;
  ListLinks by_arrival;
  ListLinks by_home;
  Phase phase;
  std::unique_ptr<Execution> execution;  // fold_steps.hpp: begin_execution

  [[nodiscard]] TaskState state() const;
  [[nodiscard]] const Execution& executed() const { return execution ? *execution : kNoExecution; }
  [[nodiscard]] Epoch epoch() const { return executed().epoch; }
  [[nodiscard]] Attempt attempt() const { return executed().attempt; }
  [[nodiscard]] std::uint32_t worker_losses() const { return executed().worker_losses; }
  [[nodiscard]] std::uint32_t failures() const { return executed().failures; }
  [[nodiscard]] WallTime started() const { return executed().started; }
  [[nodiscard]] bool ended() const { return std::holds_alternative<phase::Over>(phase); }
  [[nodiscard]] const phase::Ended& end() const { return execution->end; }
  [[nodiscard]] phase::Placed* placed() {
    return std::holds_alternative<phase::AtWorker>(phase) ? &execution->placed : nullptr;
  }
  [[nodiscard]] const phase::Placed* placed() const {
    return std::holds_alternative<phase::AtWorker>(phase) ? &execution->placed : nullptr;
  }
  [[nodiscard]] bool fence_is(Epoch dispatched, Attempt used) const {
    return epoch() == dispatched && attempt() == used;
  }
};

class TaskTable {
 public:
  // The id must be new. Appends to both lists. Arrivals rise, but for a replay, which
  // `order_by_arrival` must end.
  TaskSlot insert(TaskId id, Lsn home_lsn, Arrival arrival);
  void erase(TaskSlot slot);

  [[nodiscard]] Task& operator[](TaskSlot slot) {
    return blocks_[slot.value() / kBlockTasks][slot.value() % kBlockTasks];
  }
  [[nodiscard]] const Task& operator[](TaskSlot slot) const {
    return blocks_[slot.value() / kBlockTasks][slot.value() % kBlockTasks];
  }
  // kNoSlot when unknown.
  [[nodiscard]] TaskSlot find(const TaskId& id) const;
  // For a batch that will be looked up or inserted: each look-up in a large table waits for memory,
  // unless it was asked for before.
  void prefetch(const TaskId& id) const {
    if (!index_.empty()) __builtin_prefetch(&index_[std::hash<TaskId>{}(id) & (index_.size() - 1)]);
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  // Of the slab, used or not: for walks that go on later.
  [[nodiscard]] std::size_t slots() const { return slots_; }
  [[nodiscard]] bool in_use(TaskSlot slot) const { return (*this)[slot].spec != nullptr; }

  [[nodiscard]] TaskSlot newest() const { return arrival_tail_; }
  // The newest task whose arrival lies below `below`; kNoSlot when there is none. O(log n +
  // limits::kArrivalStride).
  [[nodiscard]] TaskSlot newest_below(std::uint64_t below) const;
  [[nodiscard]] TaskSlot oldest_home() const { return home_head_; }
  // Replay meets tasks in the order of their copies in the journal; this puts the list by arrival
  // right. O(n log n), or nothing when it is right already.
  void order_by_arrival();
  // Its whole copy now lies at `lsn`, behind everybody else's.
  void move_home(TaskSlot slot, Lsn lsn);

 private:
  [[nodiscard]] std::size_t bucket_of(const TaskId& id, std::size_t hash) const;
  // The word of a slot whose id has this hash.
  [[nodiscard]] std::uint32_t word_of(std::uint32_t slot, std::size_t hash) const;
  void grow_index();
  TaskSlot take_slot();
  void append(ListLinks Task::*links, TaskSlot& head, TaskSlot& tail, TaskSlot slot);
  void unlink(ListLinks Task::*links, TaskSlot& head, TaskSlot& tail, TaskSlot slot);
  // Arrivals are counted in strides; each has a mark, its newest task.
  void mark(TaskSlot slot);
  void unmark(TaskSlot slot);

  static constexpr std::size_t kBlockTasks = 512;  // of one allocation

  std::vector<std::unique_ptr<Task[]>> blocks_;
  std::size_t slots_ = 0;
  std::vector<TaskSlot> free_;
  // Open addressing with linear probing: 8 bytes per task at half load, where a node-based map
  // would take 60. A word is a slot in as many low bits as the number of words has, which is more
  // than there are slots, and above it bits of the hash of the slot's id: few words are taken for
  // another's, so that a look-up touches the index and the task that it finds.
  std::vector<std::uint32_t> index_;
  std::size_t size_ = 0;
  TaskSlot arrival_head_{kNoSlot};
  TaskSlot arrival_tail_{kNoSlot};
  bool in_order_ = true;                     // the list by arrival
  std::map<std::uint64_t, TaskSlot> marks_;  // by stride
  TaskSlot home_head_{kNoSlot};
  TaskSlot home_tail_{kNoSlot};
};

}  // namespace taskpipe::broker
