// Who this process is: host, user, and an identity that survives restarts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "common/model/ids.hpp"

namespace taskpipe::process {

// The node's name as the kernel knows it; "localhost" when it has none.
[[nodiscard]] std::string host_name();

// The effective user's name; its number in decimal where no account has that number (containers).
[[nodiscard]] std::string user_name();

[[nodiscard]] std::uint32_t process_id();

// Raises the soft limit of open files to the hard one (one descriptor per connection); returns what
// is in force afterwards. Never fails: a limit that cannot be raised stays.
std::uint64_t raise_open_file_limit();

namespace detail {
UniqueId<struct AnyTag> load_or_create_id(const std::filesystem::path& path);
}  // namespace detail

// The 128-bit id kept in `path` as one line of 32 hex digits; made at random, with mode 0600, when
// the file does not exist. Of several processes that create it at once all get the same. Durable
// on return. Throws std::runtime_error, naming path and remedy, when the file is malformed or the
// folder (which must exist) cannot be written.
template <class Id>
[[nodiscard]] Id load_or_create_id(const std::filesystem::path& path) {
  const auto id = detail::load_or_create_id(path);
  return Id(id.high(), id.low());
}

}  // namespace taskpipe::process
