// Reading the clocks: once per loop turn, by the shell. Nothing below it asks for the time.
#pragma once

#include <string>

#include "common/model/time.hpp"

namespace taskpipe::process {

// Both clocks, now. Any thread; about 50 ns.
[[nodiscard]] Now read_clock();

// "2026-01-31T12:00:00.123Z"; empty when not set. Years beyond four digits show as they are.
[[nodiscard]] std::string to_iso_text(WallTime time);

}  // namespace taskpipe::process
