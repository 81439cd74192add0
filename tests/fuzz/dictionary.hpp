// Messages to put into scripts, spelled as frames.hpp says.
#pragma once

#include <string>
#include <vector>

namespace taskpipe::fuzz {

// Every golden message, and what a broker accepts where they would be refused: a whole workflow,
// and one in two parts.
[[nodiscard]] const std::vector<std::string>& dictionary();

}  // namespace taskpipe::fuzz
