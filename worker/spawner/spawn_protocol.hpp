// The private protocol between a worker and its taskpipe-spawner, over one stream socketpair.
//
// Both ends are built together and run on one machine, so integers travel in native order. A frame
// is a Header followed by `body_bytes` bytes of body. The two write ends of an attempt's output
// pipes accompany the first byte of its SPAWN frame by SCM_RIGHTS. End-of-file means that the other
// side died.
//
//   worker → spawner   SPAWN (two descriptors), STOP
//   spawner → worker   READY (once, first); of each run SPAWN_FAILED, or SPAWNED and EXITED
//
// A guard (see guard.hpp) speaks the same frames with its spawner over a seqpacket pair.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace taskpipe::worker {

inline constexpr std::uint32_t kSpawnProtocolVersion = 4;
// One frame: Linux itself refuses arguments and environment beyond 6 MiB.
inline constexpr std::size_t kMaxSpawnFrameBytes = 8U << 20U;
inline constexpr std::size_t kMaxSpawnStrings = 65'536;  // arguments plus environment entries
inline constexpr std::size_t kMaxSpawnTextBytes = 4096;  // explanatory texts in replies
inline constexpr std::size_t kSpawnDescriptors = 2;      // stdout, stderr

// Numbers a run within one connection; the worker chooses them, never twice.
using RunNumber = std::uint64_t;

// How far the start of a process came. `none` = nothing failed.
enum class SpawnStage : std::uint8_t {
  none = 0,
  guard,        // fork of the guard process
  cgroup,       // creating or entering the memory cgroup
  limits,       // setrlimit, setpriority
  output,       // stdin, stdout, stderr
  directory,    // chdir
  orphaned,     // the guard died meanwhile
  exec,         // execve
  interpreter,  // the file exists, but what its first line (or ELF header) names does not
  user,         // becoming the user that tools run as
};
inline constexpr SpawnStage kLastSpawnStage = SpawnStage::user;
[[nodiscard]] std::string_view name_of(SpawnStage stage);

// Whether a container ever ran. `unknown`: nobody could tell, or nobody had to be asked.
enum class ContainerStart : std::uint8_t { unknown = 0, never, started };
inline constexpr ContainerStart kLastContainerStart = ContainerStart::started;

namespace spawn_message {

struct Spawn {
  RunNumber run = 0;
  std::vector<std::string> argv;  // at least one; argv[0] is looked up in PATH unless it has /
  std::vector<std::string> environment;  // "NAME=value", complete
  std::string directory;                 // absolute
  std::uint64_t memory_limit_bytes = 0;  // 0 = none
  std::uint64_t cpu_limit_s = 0;         // RLIMIT_CPU per process; 0 = none
  std::uint64_t open_files = 0;          // RLIMIT_NOFILE; 0 = what the spawner was started with
  std::int32_t niceness = 0;
  // Of a client that asks a daemon for a container. `removal` ends every such attempt, whatever
  // became of the client, or of the worker; not empty means also that the client runs with the
  // worker's rights instead of those of --run-as. `inspection` prints "true" or "false" (killed for
  // its memory limit), a blank, and when the container started (in the year 1: never).
  std::vector<std::string> inspection;
  std::vector<std::string> removal;
};

// `signal` to everything the attempt started; SIGKILL `grace_ms` later. Repeated: the earlier
// deadline holds.
struct Stop {
  RunNumber run = 0;
  std::int32_t signal = 15;
  std::uint32_t grace_ms = 0;
};

struct Ready {
  std::uint32_t version = kSpawnProtocolVersion;
  std::string memory_control;  // what is in force, e.g. "cgroup v1 memory"
};

struct Spawned {
  RunNumber run = 0;
  std::uint32_t pid = 0;
  std::uint64_t age_us = 0;  // how long the main process had run when this was sent
};

struct SpawnFailed {
  RunNumber run = 0;
  SpawnStage stage = SpawnStage::none;
  std::int32_t error = 0;  // errno
  std::string detail;      // the file or limit concerned; may be empty
};

// Everything the attempt started is gone.
struct Exited {
  RunNumber run = 0;
  std::int32_t wait_status = 0;  // of the main process, as wait4 gives it
  std::uint64_t wall_us = 0;     // start to end of the main process
  std::uint64_t user_us = 0;     // all reaped descendants together
  std::uint64_t system_us = 0;
  std::uint64_t max_rss_bytes = 0;     // of the largest single process
  std::uint32_t leftovers_killed = 0;  // descendants that outlived the main process
  bool out_of_memory = false;          // the kernel killed something of it for its memory limit
  bool guard_lost = false;             // the guard was killed; status and usage are unknown
  ContainerStart container_started = ContainerStart::unknown;  // as `inspection` told
  bool container_left = false;                                 // `removal` did not come to its end
};

}  // namespace spawn_message

using SpawnMessage =
    std::variant<spawn_message::Spawn, spawn_message::Stop, spawn_message::Ready,
                 spawn_message::Spawned, spawn_message::SpawnFailed, spawn_message::Exited>;

// One whole frame. The caller keeps Spawn within kMaxSpawnFrameBytes (see encoded_bytes).
[[nodiscard]] std::string encode(const SpawnMessage& message);
// What encode would need for `spawn`; to refuse oversized argument lists before they are sent.
[[nodiscard]] std::size_t encoded_bytes(const spawn_message::Spawn& spawn);

// Cuts a byte stream into messages. Not thread-safe.
class FrameReader {
 public:
  enum class Status : std::uint8_t { message, need_more, corrupt };

  // Where the next bytes are to be read to; valid until `commit`.
  [[nodiscard]] std::span<char> space(std::size_t at_least);
  void commit(std::size_t bytes) { used_ += bytes; }
  // `corrupt` is final: the connection must be given up.
  [[nodiscard]] Status next(SpawnMessage& out);

 private:
  std::string buffer_;
  std::size_t begin_ = 0;  // first byte not consumed
  std::size_t used_ = 0;   // end of what was read
};

// A frame that arrived whole (a packet). Nothing when it is not exactly one.
[[nodiscard]] std::optional<SpawnMessage> decode_frame(std::string_view frame);

}  // namespace taskpipe::worker
