// Manual pages in roff, made from the same tables as --help.
#pragma once

#include <string>
#include <string_view>

#include "client/cli/invocation.hpp"

namespace taskpipe::cli {

// taskpipe(1): the overview, every command with its options.
[[nodiscard]] std::string manual_page();
// taskpipe-submit(1), taskpipe-workflow-run(1), …
[[nodiscard]] std::string manual_page(const Command& command);

// Text as roff takes it: no request at the beginning of a line, no escape by accident; what is not
// ASCII as \[uXXXX]. `text` is valid UTF-8.
[[nodiscard]] std::string roff_text(std::string_view text);

}  // namespace taskpipe::cli
