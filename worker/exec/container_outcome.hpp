// The client of a container runtime ends with the program's exit code, or with one of its own.
// Pure.
#pragma once

#include <string_view>

#include "common/model/task.hpp"
#include "worker/spawner/spawn_protocol.hpp"

namespace taskpipe::worker {

// Makes error/spawn, with the runtime's own words, of the end of a client whose container never
// ran, or whose program is not in its image. Leaves every other outcome alone. Where the runtime
// did not tell whether it started, only words that are the client's own count.
void judge_container(Outcome& outcome, std::string_view runtime, ContainerStart started,
                     std::string_view stderr_tail);

// Adds to the reason that the container is still there. A success has no reason: there the worker's
// log alone tells.
void tell_container_left(Outcome& outcome, std::string_view name);

}  // namespace taskpipe::worker
