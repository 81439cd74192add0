// How much memory this process may use.
#pragma once

#include <cstdint>
#include <string>

namespace taskpipe::process {

// Physical memory, at most what the process's cgroup and those above it allow; 0 when the kernel
// does not say. Reads a few small files.
[[nodiscard]] std::uint64_t usable_memory_bytes();

// The least of the limits along `path`, a group below the mount point of cgroup v2 as
// /proc/self/cgroup names it; `none` when there is no limit.
[[nodiscard]] std::uint64_t cgroup_memory_limit(const std::string& mount, std::string path,
                                                std::uint64_t none);

}  // namespace taskpipe::process
