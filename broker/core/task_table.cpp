#include "broker/core/task_table.hpp"

#include <algorithm>
#include <cassert>
#include <functional>
#include <utility>
#include <vector>

#include "common/model/limits.hpp"

namespace taskpipe::broker {
namespace {

// Words, a MiB of them: below half as many tasks nobody waits for the index to be made anew.
constexpr std::size_t kFirstIndexSize = 1U << 18U;

}  // namespace

TaskState Task::state() const {
  if (ended()) return end().outcome.state;
  const auto* where = placed();
  return where != nullptr && where->started ? TaskState::running : TaskState::pending;
}

std::uint32_t TaskTable::word_of(std::uint32_t slot, std::size_t hash) const {
  const auto slot_bits = static_cast<std::uint32_t>(index_.size() - 1);
  // Neighbouring ids have the same high bits: a multiply makes theirs differ.
  const std::uint64_t spread = hash * 0x9e3779b97f4a7c15ULL;
  return (static_cast<std::uint32_t>(spread >> 32U) & ~slot_bits) | slot;
}

std::size_t TaskTable::bucket_of(const TaskId& id, std::size_t hash) const {
  const std::size_t mask = index_.size() - 1;
  const std::uint32_t tag = word_of(0, hash);
  for (std::size_t bucket = hash & mask;; bucket = (bucket + 1) & mask) {
    const std::uint32_t word = index_[bucket];
    if (word == kNoSlot) return bucket;
    const auto slot = static_cast<std::uint32_t>(word & mask);
    if (word - slot == tag && (*this)[TaskSlot(slot)].id == id) return bucket;
  }
}

// Goes through the tasks as they lie in memory, or nearly so.
void TaskTable::grow_index() {
  const std::size_t size = index_.empty() ? kFirstIndexSize : index_.size() * 2;
  index_ = {};  // before the larger one is made
  index_.assign(size, kNoSlot);
  for (TaskSlot slot = arrival_head_; slot.value() != kNoSlot;
       slot = (*this)[slot].by_arrival.next) {
    const TaskId& id = (*this)[slot].id;
    const std::size_t hash = std::hash<TaskId>{}(id);
    index_[bucket_of(id, hash)] = word_of(slot.value(), hash);
  }
}

TaskSlot TaskTable::find(const TaskId& id) const {
  if (index_.empty()) return TaskSlot(kNoSlot);
  const std::uint32_t word = index_[bucket_of(id, std::hash<TaskId>{}(id))];
  if (word == kNoSlot) return TaskSlot(kNoSlot);
  return TaskSlot(static_cast<std::uint32_t>(word & (index_.size() - 1)));
}

TaskSlot TaskTable::take_slot() {
  if (!free_.empty()) {
    const TaskSlot slot = free_.back();
    free_.pop_back();
    return slot;
  }
  if (slots_ == blocks_.size() * kBlockTasks) {
    blocks_.push_back(std::make_unique<Task[]>(kBlockTasks));
  }
  return TaskSlot(static_cast<std::uint32_t>(slots_++));
}

TaskSlot TaskTable::insert(TaskId id, Lsn home_lsn, Arrival arrival) {
  if ((size_ + 1) * 2 > index_.size()) grow_index();
  const TaskSlot slot = take_slot();
  Task& task = (*this)[slot];
  task.id = id;
  task.home_lsn = home_lsn;
  task.arrival = arrival;
  const std::size_t hash = std::hash<TaskId>{}(id);
  const std::size_t bucket = bucket_of(id, hash);
  assert(index_[bucket] == kNoSlot && "a task id is inserted once");
  index_[bucket] = word_of(slot.value(), hash);
  ++size_;
  in_order_ =
      in_order_ && (arrival_tail_.value() == kNoSlot || (*this)[arrival_tail_].arrival < arrival);
  append(&Task::by_arrival, arrival_head_, arrival_tail_, slot);
  append(&Task::by_home, home_head_, home_tail_, slot);
  mark(slot);
  return slot;
}

void TaskTable::erase(TaskSlot slot) {
  unmark(slot);
  unlink(&Task::by_arrival, arrival_head_, arrival_tail_, slot);
  unlink(&Task::by_home, home_head_, home_tail_, slot);
  // Backward-shift deletion keeps every probe sequence unbroken without tombstones (Knuth, TAOCP
  // vol. 3, 6.4, algorithm R).
  const std::size_t mask = index_.size() - 1;
  const TaskId& id = (*this)[slot].id;
  std::size_t hole = bucket_of(id, std::hash<TaskId>{}(id));
  for (std::size_t at = (hole + 1) & mask; index_[at] != kNoSlot; at = (at + 1) & mask) {
    const TaskSlot other(static_cast<std::uint32_t>(index_[at] & mask));
    const std::size_t wanted = std::hash<TaskId>{}((*this)[other].id) & mask;
    if (((at - wanted) & mask) >= ((at - hole) & mask)) {
      index_[hole] = index_[at];
      hole = at;
    }
  }
  index_[hole] = kNoSlot;
  const std::uint32_t ticket = (*this)[slot].ticket;
  (*this)[slot] = Task{};
  (*this)[slot].ticket = ticket + 1;  // queue entries of the former task stay recognisable
  free_.push_back(slot);
  --size_;
}

void TaskTable::move_home(TaskSlot slot, Lsn lsn) {
  unlink(&Task::by_home, home_head_, home_tail_, slot);
  (*this)[slot].home_lsn = lsn;
  append(&Task::by_home, home_head_, home_tail_, slot);
}

void TaskTable::order_by_arrival() {
  if (std::exchange(in_order_, true)) return;
  std::vector<TaskSlot> slots;
  slots.reserve(size_);
  for (TaskSlot slot = arrival_head_; slot.value() != kNoSlot;
       slot = (*this)[slot].by_arrival.next) {
    slots.push_back(slot);
  }
  const auto older = [this](TaskSlot a, TaskSlot b) {
    return (*this)[a].arrival < (*this)[b].arrival;
  };
  std::sort(slots.begin(), slots.end(), older);
  arrival_head_ = arrival_tail_ = TaskSlot(kNoSlot);
  marks_.clear();
  for (const TaskSlot slot : slots) {
    append(&Task::by_arrival, arrival_head_, arrival_tail_, slot);
    mark(slot);
  }
}

void TaskTable::mark(TaskSlot slot) {
  marks_[(*this)[slot].arrival.value() / limits::kArrivalStride] = slot;
}

void TaskTable::unmark(TaskSlot slot) {
  const std::uint64_t stride = (*this)[slot].arrival.value() / limits::kArrivalStride;
  const auto found = marks_.find(stride);
  if (found == marks_.end() || found->second != slot) return;
  const TaskSlot older = (*this)[slot].by_arrival.previous;
  if (older.value() != kNoSlot &&
      (*this)[older].arrival.value() / limits::kArrivalStride == stride) {
    found->second = older;
  } else {
    marks_.erase(found);
  }
}

TaskSlot TaskTable::newest_below(std::uint64_t below) const {
  auto mark = marks_.upper_bound(below / limits::kArrivalStride);
  if (mark == marks_.begin()) return TaskSlot(kNoSlot);
  TaskSlot slot = (--mark)->second;
  while (slot.value() != kNoSlot && (*this)[slot].arrival.value() >= below) {
    slot = (*this)[slot].by_arrival.previous;
  }
  return slot;
}

void TaskTable::append(ListLinks Task::*links, TaskSlot& head, TaskSlot& tail, TaskSlot slot) {
  ListLinks& own = (*this)[slot].*links;
  own = ListLinks{tail, TaskSlot(kNoSlot)};
  if (tail.value() == kNoSlot) {
    head = slot;
  } else {
    ((*this)[tail].*links).next = slot;
  }
  tail = slot;
}

void TaskTable::unlink(ListLinks Task::*links, TaskSlot& head, TaskSlot& tail, TaskSlot slot) {
  const ListLinks own = (*this)[slot].*links;
  if (own.previous.value() == kNoSlot) {
    head = own.next;
  } else {
    ((*this)[own.previous].*links).next = own.next;
  }
  if (own.next.value() == kNoSlot) {
    tail = own.previous;
  } else {
    ((*this)[own.next].*links).previous = own.previous;
  }
}

}  // namespace taskpipe::broker
