// What of this node's resources is in use by running attempts. The broker accounts as well, but it
// may send short tasks ahead of free resources; here is where they wait.
#pragma once

#include <cstdint>

#include "common/model/resources.hpp"
#include "common/model/task.hpp"
#include "worker/core/worker_config.hpp"

namespace taskpipe::worker {

// What a task occupies: as asked for, and one cpu where it says nothing.
[[nodiscard]] Resources required_resources(const TaskSpec& spec);

// True for handler tasks that ask for nothing but a thread: the handler pool bounds them, and they
// are not accounted, or short ones would each wait for the one before.
[[nodiscard]] bool bounded_by_pool(AttemptKind kind, const TaskSpec& spec);

class Capacity {
 public:
  Capacity(const Resources& total, std::uint32_t slots)
      : total_(total), free_(total), free_slots_(slots) {}

  // Takes what an attempt needs; false, and nothing taken, when it does not fit now.
  [[nodiscard]] bool acquire(AttemptKind kind, const TaskSpec& spec);
  void release(AttemptKind kind, const TaskSpec& spec);

  [[nodiscard]] const Resources& total() const { return total_; }
  [[nodiscard]] const Resources& free() const { return free_; }
  [[nodiscard]] std::size_t in_pool() const { return in_pool_; }

 private:
  Resources total_;
  Resources free_;
  std::uint32_t free_slots_;
  std::size_t in_pool_ = 0;
};

}  // namespace taskpipe::worker
