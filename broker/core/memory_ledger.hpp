// What the broker holds in memory for its peers, in bytes: counted as it comes and goes. A measured
// size would not do, since an allocator keeps what was freed: a broker that was once full would
// stay so.
//
// Payloads and texts count exactly, the rest by the size of its structures, so that the count is
// somewhat below what the process takes. A spec that tasks share counts once. Thread: one. Every
// operation is O(1), but for workflows, which are O(their tasks).
#pragma once

#include <cstdint>

#include "broker/core/task_table.hpp"
#include "broker/core/workflow_table.hpp"

namespace taskpipe::broker {

class MemoryLedger {
 public:
  // It holds its spec.
  void task_added(const Task& task);
  // Its outcome is known; it is held until the history has it.
  void task_ended(const Task& task);
  // It holds its spec still.
  void task_removed(const Task& task);

  void workflow_added(const Workflow& workflow);
  void workflow_removed(const Workflow& workflow);

  // Everything else: what `before` bytes have become.
  void exchange(std::uint64_t before, std::uint64_t after) { held_ += after - before; }
  // Of the shell: what it holds now on its way to peers.
  void set_outside(std::uint64_t bytes) { outside_ = bytes; }

  [[nodiscard]] std::uint64_t bytes() const { return held_ + outside_; }
  // Without the shell's: what the state accounts for.
  [[nodiscard]] std::uint64_t held() const { return held_; }

 private:
  std::uint64_t held_ = 0;
  std::uint64_t outside_ = 0;
};

// What one of them takes; a task without its spec.
[[nodiscard]] std::uint64_t memory_of(const Task& task);
[[nodiscard]] std::uint64_t memory_of(const TaskSpec& spec);
[[nodiscard]] std::uint64_t memory_of(const Workflow& workflow);

}  // namespace taskpipe::broker
