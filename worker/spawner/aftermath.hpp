// What a guard does after an attempt that ran in a container: the container is no descendant of the
// client that asked for it, so it is the runtime that has to be asked how it ended, and to remove
// it.
#pragma once

#include <sys/resource.h>

#include <string>

#include "worker/spawner/spawn_protocol.hpp"

namespace taskpipe::worker {

// For everything together: within what a worker waits for its spawner's end, and more than a busy
// daemon needs to kill and remove.
inline constexpr std::uint32_t kAftermathMs = 8000;

struct Aftermath {
  ContainerStart started = ContainerStart::unknown;
  bool out_of_memory = false;  // the kernel killed in it for its memory limit
  bool left = false;           // it could not be removed
};

struct AftermathContext {
  std::string search_path;
  rlimit open_files{};
  // The client was killed, so that the runtime may yet make what it had asked for.
  bool client_killed = false;
  // The client ended with 0: how its container ended is known.
  bool client_succeeded = false;
};

// Runs `spawn.inspection`, if there is something to ask, and `spawn.removal` with the caller's
// rights; returns within kAftermathMs or a little more. The caller has one thread and SIGCHLD
// blocked.
[[nodiscard]] Aftermath clear_container(const spawn_message::Spawn& spawn,
                                        const AftermathContext& context);

}  // namespace taskpipe::worker
