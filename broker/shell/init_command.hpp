// taskpipe-broker init DIR: makes a cluster folder.
#pragma once

#include <iosfwd>

namespace taskpipe::broker {

// `argv[0]` is "init". The exit code.
[[nodiscard]] int run_init(int argc, const char* const* argv, std::ostream& out,
                           std::ostream& complaints);

}  // namespace taskpipe::broker
