// Files that people name on the command line.
#pragma once

#include <cstddef>
#include <string>

#include <tl/expected.hpp>

#include "common/model/error.hpp"

namespace taskpipe::cli {

inline constexpr std::size_t kMaxInputFileBytes = 64U << 20U;

// The whole of `path`, or of standard input with "-". INVALID or TOO_BIG, naming the path, the
// reason and `option` (in `field`). Blocks until the end of the input.
[[nodiscard]] tl::expected<std::string, Error> read_input_file(const std::string& path,
                                                               const std::string& option);

}  // namespace taskpipe::cli
