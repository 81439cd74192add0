// Looks for processes by a marker in their arguments.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace taskpipe::worker {

// A text that no other process has among its arguments.
[[nodiscard]] std::string unique_marker();
// Processes, zombies not counted, one of whose arguments contains `marker`.
[[nodiscard]] std::vector<pid_t> live_with(const std::string& marker);
// Looks again until there are none. False after `limit`.
[[nodiscard]] bool all_gone(const std::string& marker,
                            std::chrono::seconds limit = std::chrono::seconds(20));
// Neither gone nor a zombie.
[[nodiscard]] bool is_live(pid_t pid);
// Direct children of `pid`.
[[nodiscard]] std::vector<pid_t> children_of(pid_t pid);

}  // namespace taskpipe::worker
