// Input files as people name them, on the command line and in workflow files.
#pragma once

#include <string>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "taskpipe/client_types.hpp"

namespace taskpipe::cli {

// "FILE" or "FILE:NAME"; the file itself is not looked at. INVALID naming "input".
[[nodiscard]] tl::expected<InputFile, Error> read_input(const std::string& text);

}  // namespace taskpipe::cli
