// The client of a container runtime ends with the program's exit code, or with one of its own.
// Pure.
#pragma once

#include <string_view>

#include "common/model/task.hpp"

namespace taskpipe::worker {

// Makes error/spawn, with the runtime's own words, of the end of a client whose container never
// ran, or whose program is not in its image. Leaves every other outcome alone. `started`: as the
// runtime told; unknown counts as no.
void judge_container(Outcome& outcome, std::string_view runtime, bool started,
                     std::string_view stderr_tail);

}  // namespace taskpipe::worker
