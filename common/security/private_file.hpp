// Files that hold keys: read only if nobody else can read them, written whole or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "common/model/error.hpp"

namespace taskpipe::security {

// At most limits::kMaxKeyFileBytes; anything but a regular file is refused (a link to one is not).
[[nodiscard]] tl::expected<std::string, Error> read_public_file(const std::filesystem::path& path);
// Refused, with the command that mends it, when its group or others have any right to it.
[[nodiscard]] tl::expected<std::string, Error> read_secret_file(const std::filesystem::path& path);

// How the names of files begin that are being written.
inline constexpr std::string_view kUnfinishedPrefix = ".new-";

enum class Overwrite : bool { no, yes };

// The file is there with all of `text`, or as it was before; it never was readable by others when
// it is a secret (0600, else 0644). Without `overwrite` an existing file is an error.
[[nodiscard]] tl::expected<void, Error> write_public_file(const std::filesystem::path& path,
                                                          std::string_view text,
                                                          Overwrite overwrite = Overwrite::no);
[[nodiscard]] tl::expected<void, Error> write_secret_file(const std::filesystem::path& path,
                                                          std::string_view text,
                                                          Overwrite overwrite = Overwrite::no);

// Made with 0700, parents as the umask says. An existing folder is left as it is, but refused when
// others may write to it: they could replace what is in it.
[[nodiscard]] tl::expected<void, Error> make_private_folder(const std::filesystem::path& path);

}  // namespace taskpipe::security
