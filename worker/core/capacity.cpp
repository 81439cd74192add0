#include "worker/core/capacity.hpp"

#include <algorithm>
#include <cassert>

#include "common/model/limits.hpp"

namespace taskpipe::worker {

Resources required_resources(const TaskSpec& spec) {
  Resources need = spec.resources;
  need.cpus = std::max(need.cpus, 1U);
  return need;
}

bool bounded_by_pool(AttemptKind kind, const TaskSpec& spec) {
  const Resources& need = spec.resources;
  return kind == AttemptKind::handler && need.cpus <= 1 && need.gpus == 0 &&
         need.memory_bytes == 0 && need.named.empty();
}

bool Capacity::acquire(AttemptKind kind, const TaskSpec& spec) {
  if (bounded_by_pool(kind, spec)) {
    if (in_pool_ >= limits::kHandlerPoolDepth) return false;
    ++in_pool_;
    return true;
  }
  const Resources need = required_resources(spec);
  if (free_slots_ == 0 || !fits(need, free_)) return false;
  --free_slots_;
  subtract(free_, need);
  return true;
}

void Capacity::release(AttemptKind kind, const TaskSpec& spec) {
  if (bounded_by_pool(kind, spec)) {
    assert(in_pool_ > 0);
    --in_pool_;
    return;
  }
  ++free_slots_;
  add(free_, required_resources(spec));
}

}  // namespace taskpipe::worker
