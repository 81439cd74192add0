// What this node has, as far as this process may use it.
#pragma once

#include <cstdint>

namespace taskpipe::worker {

// CPUs that the process may run on (affinity), at most what its cgroup's quota allows, rounded up.
// At least 1.
[[nodiscard]] std::uint32_t usable_cpus();

// NVIDIA devices that the process can see.
[[nodiscard]] std::uint32_t visible_gpus();

}  // namespace taskpipe::worker
