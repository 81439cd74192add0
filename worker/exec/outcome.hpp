// How the end of a process becomes the outcome of an attempt. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/model/task.hpp"
#include "common/model/time.hpp"
#include "worker/spawner/spawn_protocol.hpp"

namespace taskpipe::worker {

// Why we asked an attempt to end. The first cause decides.
enum class EndCause : std::uint8_t { none, time_limit, silence, cancelled, superseded, shutdown };

struct EndFacts {
  EndCause cause = EndCause::none;
  Millis time_limit{0};
  Millis silence_limit{0};
  std::uint64_t memory_limit_bytes = 0;
  std::string_view memory_control;  // what enforced it, as the spawner reported
  std::string_view container{};     // the runtime, when what was started is its client
  Millis asked_after{0};            // how long it had run when a limit was found exceeded
};

// Whatever the process made of our request to end, an attempt that was asked to is reported as
// such: exit code 0 after SIGTERM is still a timeout or a cancellation. But a limit counts for
// nothing when the main process had ended before: what it left behind, or its container, may take a
// while to clear. `report` stays empty.
[[nodiscard]] Outcome outcome_of(const spawn_message::Exited& end, const EndFacts& facts);
// Could not be started; or was asked to end before it could.
[[nodiscard]] Outcome outcome_of(const spawn_message::SpawnFailed& failure, const EndFacts& facts);
// Nothing is known but `reason`.
[[nodiscard]] Outcome spawn_error(const std::string& reason);

// "64 MiB", "1.5 GiB", "1000 B".
[[nodiscard]] std::string show_bytes(std::uint64_t bytes);

}  // namespace taskpipe::worker
