// As whom tools run, when that is not the worker's own user.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace taskpipe::worker {

struct Credentials {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  // all of them, as setgroups takes them
};

// Among `groups`: what root's group may read and write is root's business.
[[nodiscard]] bool has_roots_group(const Credentials& credentials);

// "UID:GID:GROUP,GROUP…", as the spawner's --run-as takes it.
[[nodiscard]] std::string to_text(const Credentials& credentials);
// Nothing when the text is not one of `to_text`, or names root.
[[nodiscard]] std::optional<Credentials> parse_credentials(std::string_view text);

// Of the calling thread, for good: every set of user and group numbers, and with them the
// capabilities. 0, or errno. System calls only, so that it may be called between vfork and exec.
[[nodiscard]] int become(const Credentials& credentials);

}  // namespace taskpipe::worker
