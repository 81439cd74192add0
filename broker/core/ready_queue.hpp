// Tasks that could run now, one queue per requirement signature.
//
// A signature is everything that decides which worker can run a task: tool, script, resources, and
// the care that a task needs which was lost with workers before. A worker with room looks at the
// heads of the signatures that it serves, best first, so the cost of placing a task does not depend
// on how many are queued.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
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
  // The head, just after `head` found that there is one.
  [[nodiscard]] TaskSlot front() const { return lanes_.begin()->second.front().slot; }
  // Drops the head's entry; it must exist. The task still counts until `forget_one`.
  void pop();
  // After a replay: tasks that had been placed before and came back first, then by arrival.
  void reorder(const TaskTable& tasks);
  // Tasks in phase Ready that wait here.
  [[nodiscard]] std::size_t size() const { return size_; }
  // A queued task left its phase (placed, cancelled, adopted): its entry is outdated from now on.
  void forget_one() { --size_; }
  // Nothing waits here: gives outdated entries back.
  void clear() { lanes_.clear(); }

 private:
  struct Entry {
    TaskSlot slot;
    std::uint32_t ticket = 0;
  };
  std::map<std::int32_t, std::deque<Entry>, std::greater<>> lanes_;
  std::size_t size_ = 0;
};

// How a task is placed after it was lost with workers. Any of the tasks that a worker held when it
// died may have killed it.
enum class Care : std::uint8_t {
  none = 0,      // never lost: short ones may be sent ahead of free resources
  own_slot = 1,  // only into a free slot: whatever is lost there had begun
  alone = 2,     // one more loss ends it: on a worker that runs nothing else, to blame nobody else
};

// Where a signature stands among those of its tool: by the head of its queue.
struct HeadKey {
  std::int32_t priority = 0;
  Arrival arrival;
  SignatureIndex signature;
  friend bool operator<(const HeadKey& a, const HeadKey& b) {
    if (a.priority != b.priority) return a.priority > b.priority;
    return std::tie(a.arrival, a.signature) < std::tie(b.arrival, b.signature);
  }
  friend bool operator==(const HeadKey&, const HeadKey&) = default;
};

struct Signature {
  std::string key;  // empty = the place is free
  ToolIndex tool;
  std::string script;  // empty = any; not set for inline scripts
  bool inline_script = false;
  bool has_inputs = false;
  Resources need;
  Care care = Care::none;
  ReadyQueue queue;
  bool fresh = false;             // gained tasks, and was not offered to workers yet
  bool idle = false;              // is in the table's list of those to be released
  std::optional<HeadKey> listed;  // as it stands in Tool::heads
  // Answer of the last check whether any worker could ever run this, valid for one set of offers; a
  // script that is refused is not checked here at all.
  std::uint64_t checked_at_offers = 0;
  std::optional<Error> unsatisfiable;
};

// Signatures are made when they are needed and released some time after nothing of them is queued:
// the limits::kMaxIdleSignatures that became idle last are remembered. A place is used again.
class SignatureTable {
 public:
  // Remembers the last spec by identity: tasks of a batch share theirs.
  SignatureIndex intern(ToolIndex tool, const TaskSpecPtr& spec, Care care = Care::none);
  // Of tasks that need no care.
  [[nodiscard]] std::optional<SignatureIndex> find(ToolIndex tool, const TaskSpec& spec) const;
  // Nothing of it is queued; it may be released.
  void make_idle(SignatureIndex index);
  // Releases what is idle beyond the bound. Indices of such signatures must not be in use.
  void release_idle();
  [[nodiscard]] Signature& operator[](SignatureIndex index) { return signatures_[index.value()]; }
  [[nodiscard]] const Signature& operator[](SignatureIndex index) const {
    return signatures_[index.value()];
  }
  // Places, free ones included.
  [[nodiscard]] std::size_t size() const { return signatures_.size(); }
  [[nodiscard]] std::size_t in_use() const { return index_.size(); }

 private:
  SignatureIndex find_or_add(ToolIndex tool, const TaskSpec& spec, Care care);

  std::deque<Signature> signatures_;
  std::vector<SignatureIndex> free_;
  std::deque<SignatureIndex> idle_;  // longest idle first; some may be in use again
  std::unordered_map<std::string, SignatureIndex> index_;
  TaskSpecPtr last_spec_;
  Care last_care_ = Care::none;
  SignatureIndex last_index_;
};

}  // namespace taskpipe::broker
