// Folders that nobody but the worker's own user can change. A worker of root writes to no others
// while its tools are another user: who owns a folder, or one above it, chooses what is written to.
#pragma once

#include <filesystem>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "worker/spawner/descriptor.hpp"

namespace taskpipe::worker {

// Makes `path` with whatever is missing above it. INVALID naming the part and the remedy, unless
// each folder and link from / on belongs to the worker's user and can be written to by nobody else.
// Above the last one the sticky bit will do, as in /tmp: what is there already stays its owner's.
[[nodiscard]] tl::expected<void, Error> make_own_folder(const std::filesystem::path& path);

// The same of one folder that is open, `path` being its name for the error.
[[nodiscard]] tl::expected<void, Error> check_own_folder(const Descriptor& folder,
                                                         const std::filesystem::path& path);

}  // namespace taskpipe::worker
