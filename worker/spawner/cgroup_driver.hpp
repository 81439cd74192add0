// The seam to the kernel's control groups: memory limits, the proof of an out-of-memory kill, and
// the killing of a whole attempt at one stroke. Containment does not depend on it (guard.hpp).
//
// Groups are made directly below the worker's own group, so that every limit set on the worker
// holds for its attempts too. Their names carry pid and start time of their spawner: a later
// spawner removes what a dead one left behind.
//
// Thread: none of this is thread-safe; the spawner and its guards have one thread each.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "worker/spawner/spawn_protocol.hpp"

namespace taskpipe::worker {

// One attempt's group. The destructor leaves it alone: a guard that is forked or dies must not
// remove what others still use; `remove` is explicit.
class AttemptCgroup {
 public:
  AttemptCgroup() = default;
  AttemptCgroup(const AttemptCgroup&) = delete;
  AttemptCgroup& operator=(const AttemptCgroup&) = delete;
  virtual ~AttemptCgroup() = default;

  // A process enters by writing "0" to each of these descriptors; only system calls between fork
  // and exec. Valid as long as the object.
  [[nodiscard]] virtual std::span<const int> entrances() const = 0;
  // SIGKILL to every member at once. False where the kernel has no such call.
  virtual bool kill() = 0;
  // Whether the kernel killed a member for the memory limit.
  [[nodiscard]] virtual bool out_of_memory() = 0;
  // Once nobody is in it. Retries for limits of its own while the kernel lets go.
  virtual void remove() = 0;
};

class CgroupDriver {
 public:
  CgroupDriver() = default;
  CgroupDriver(const CgroupDriver&) = delete;
  CgroupDriver& operator=(const CgroupDriver&) = delete;
  virtual ~CgroupDriver() = default;

  // What enforces memory limits: "cgroup v2 memory", "cgroup v1 memory", "RLIMIT_AS", "none".
  [[nodiscard]] virtual std::string_view name() const = 0;
  // Whether attempts are to get RLIMIT_AS in place of a group: allocations then fail with ENOMEM.
  [[nodiscard]] virtual bool limits_address_space() const = 0;
  // A group for a run with a memory limit. Null with `error` = 0: this driver makes no groups. Null
  // with an errno: it could not.
  [[nodiscard]] virtual std::unique_ptr<AttemptCgroup> create(RunNumber run,
                                                              std::uint64_t memory_limit_bytes,
                                                              int& error) = 0;
  // Removes the group of a run whose guard died before it could.
  virtual void discard(RunNumber run) = 0;
};

enum class MemoryControl : std::uint8_t { automatic, cgroup_v2, cgroup_v1, address_space, none };

struct CgroupOptions {
  MemoryControl control = MemoryControl::automatic;
  // The group below which attempts get theirs; empty = the spawner's own, from /proc/self/cgroup.
  std::string parent_directory;
  // Where the two /proc files are read; another folder in tests.
  std::string proc_self = "/proc/self";
};

// The first of cgroup v2, cgroup v1, RLIMIT_AS that works here, or exactly the one asked for. Tries
// each by making a group and removing it again; removes groups of dead spawners. With v2, where the
// worker is alone in a delegated group, it and the spawner move into a leaf "taskpipe-agent", since
// v2 allows no processes beside groups with controllers. Throws std::runtime_error saying what was
// tried when what was asked for explicitly does not work.
[[nodiscard]] std::unique_ptr<CgroupDriver> choose_cgroup_driver(const CgroupOptions& options);

// No groups. With `limits_address_space` RLIMIT_AS stands in for memory limits.
[[nodiscard]] std::unique_ptr<CgroupDriver> make_groupless_driver(bool limits_address_space);

}  // namespace taskpipe::worker
