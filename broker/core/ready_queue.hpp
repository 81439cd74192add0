// Tasks that could run now, one queue per requirement signature.
//
// A signature is everything that decides which worker can run a task: tool, script, resources. A
// worker with room looks at the heads of the signatures that it serves, so the cost of placing a
// task does not depend on how many are queued.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/core/task_table.hpp"
#include "common/model/resources.hpp"

namespace taskpipe::broker {

using ToolIndex = StrongId<struct ToolTag, std::uint32_t>;

// What is asked for, with defaults filled in: a task needs at least one cpu.
[[nodiscard]] Resources required_resources(const TaskSpec& spec);

// Larger priority first, then earlier arrival. Cancelled tasks are skipped lazily.
class ReadyQueue {
 public:
  void push_back(std::int32_t priority, TaskSlot slot, std::uint32_t ticket);
  // A task that comes back stands before all others of its priority.
  void push_front(std::int32_t priority, TaskSlot slot, std::uint32_t ticket);
  // kNoSlot when empty; drops outdated entries on the way.
  [[nodiscard]] TaskSlot head(const TaskTable& tasks);
  // Drops the head's entry; it must exist. The task still counts until `forget_one`.
  void pop();
  // After a replay: tasks that had been placed before and came back first, then by arrival.
  void reorder(const TaskTable& tasks);
  // Tasks in phase Ready that wait here.
  [[nodiscard]] std::size_t size() const { return size_; }
  // A queued task left its phase (placed, cancelled, adopted): its entry is outdated from now on.
  void forget_one() { --size_; }

 private:
  struct Entry {
    TaskSlot slot;
    std::uint32_t ticket = 0;
  };
  std::map<std::int32_t, std::deque<Entry>, std::greater<>> lanes_;
  std::size_t size_ = 0;
};

struct Signature {
  ToolIndex tool;
  std::string script;  // empty = any; not set for inline scripts
  bool inline_script = false;
  Resources need;
  ReadyQueue queue;
  bool fresh = false;   // gained tasks in this turn
  bool listed = false;  // stands in Tool::signatures
  // Answer of the last check whether any worker could ever run this, valid for one set of offers; a
  // script that is refused is not checked here at all.
  std::uint64_t checked_at_offers = 0;
  std::optional<Error> unsatisfiable;
};

class SignatureTable {
 public:
  // Remembers the last spec by identity: tasks of a batch share theirs.
  SignatureIndex intern(ToolIndex tool, const TaskSpecPtr& spec);
  [[nodiscard]] std::optional<SignatureIndex> find(ToolIndex tool, const TaskSpec& spec) const;
  [[nodiscard]] Signature& operator[](SignatureIndex index) { return signatures_[index.value()]; }
  [[nodiscard]] const Signature& operator[](SignatureIndex index) const {
    return signatures_[index.value()];
  }
  [[nodiscard]] std::size_t size() const { return signatures_.size(); }

 private:
  SignatureIndex find_or_add(ToolIndex tool, const TaskSpec& spec);

  std::deque<Signature> signatures_;
  std::unordered_map<std::string, SignatureIndex> index_;
  TaskSpecPtr last_spec_;
  SignatureIndex last_index_;
};

}  // namespace taskpipe::broker
