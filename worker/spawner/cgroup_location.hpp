// Where the calling process stands in the cgroup hierarchies, from /proc/self/{cgroup,mountinfo}.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace taskpipe::worker {

enum class CgroupVersion : unsigned char { v1, v2 };

// The directory of the caller's own group, or nothing when the hierarchy is not mounted or its
// mount does not show that group. `controller` names a v1 hierarchy ("memory"); ignored for v2.
[[nodiscard]] std::optional<std::string> own_cgroup_directory(CgroupVersion version,
                                                              std::string_view controller,
                                                              std::string_view cgroup_text,
                                                              std::string_view mountinfo_text);

}  // namespace taskpipe::worker
