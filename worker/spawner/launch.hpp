// Starts the main process of an attempt: everything between vfork and exec.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "worker/spawner/credentials.hpp"
#include "worker/spawner/spawn_protocol.hpp"

namespace taskpipe::worker {

struct LaunchContext {
  int stdout_fd = -1;
  int stderr_fd = -1;
  std::span<const int> cgroup_entrances;
  bool limit_address_space = false;     // Spawn::memory_limit_bytes becomes RLIMIT_AS
  rlimit open_files{};                  // unless Spawn::open_files says otherwise
  const Credentials* run_as = nullptr;  // null: as who the caller is
  std::string search_path;              // PATH for an environment without one
};

struct LaunchResult {
  pid_t pid = -1;  // valid when stage is none
  SpawnStage stage = SpawnStage::none;
  int error = 0;
  std::string detail;
};

// The child gets a session of its own, default signal dispositions and an empty mask, the resource
// limits, the cgroup, stdin from /dev/null, no descriptor beyond 0, 1 and 2, and SIGKILL when its
// parent dies. Returns once exec has succeeded or failed; a child that failed has been reaped. The
// caller has one thread.
[[nodiscard]] LaunchResult launch(const spawn_message::Spawn& spawn, const LaunchContext& context);

// The files to try, in order: argv[0] itself when it holds a slash, else one per folder of PATH.
// Empty parts of PATH, which mean the current folder, are left out: it holds a task's own files.
[[nodiscard]] std::vector<std::string> executable_candidates(const spawn_message::Spawn& spawn,
                                                             const std::string& search_path);

}  // namespace taskpipe::worker
