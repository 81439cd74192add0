// Reading below a folder that somebody else can write to: a tool's working directory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "common/process/file.hpp"

namespace taskpipe::process {

// A user's number; nothing = whoever it is.
using FileOwner = std::optional<std::uint32_t>;

// Opens `folder`/`name` for reading if it is a regular file that belongs to `owner`. `folder`
// itself is trusted, `name` is a plain relative path and nothing of it is: no symbolic link is
// followed in any part, and the owner keeps out hard links to what the other could not read
// himself. What is no regular file is not even opened, so that neither a pipe can block nor a
// device be touched. Errors are errno values: ELOOP or ENOTDIR for a link, EACCES for another
// owner, EINVAL for what is no regular file, EWOULDBLOCK for one that its owner has leased.
[[nodiscard]] tl::expected<File, int> open_beneath(const std::string& folder, std::string_view name,
                                                   FileOwner owner);

// The same for a path that somebody else names, wherever it lies: links are followed, and what they
// lead to must be a regular file of `owner`.
[[nodiscard]] tl::expected<File, int> open_regular(const std::string& path, FileOwner owner);

// Opens a folder below the open folder `parent` for listing; a link is refused.
[[nodiscard]] tl::expected<File, int> open_folder_at(int parent, const std::string& name);

}  // namespace taskpipe::process
