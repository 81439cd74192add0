// The one table of codes that peers see, and the error that carries them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace taskpipe {

// Stable on the wire: numbers are never reused.
enum class ErrorCode : std::uint16_t {
  ok = 0,
  version = 1,         // no protocol version in common
  malformed = 2,       // the frames or the body do not follow the protocol
  too_big = 3,         // an item or a message exceeds its bound
  denied = 4,          // the peer may not do this
  not_registered = 5,  // no session: say HELLO first
  stale_epoch = 6,     // refers to an earlier start of the broker
  stale_attempt = 7,   // a result of a superseded attempt; kept as evidence
  id_conflict = 8,     // the id exists with another specification
  busy = 9,            // overload; try again after retry_ms
  flow = 10,           // the peer sent more than it was granted
  unknown_task = 11,   // no such task (or it is another owner's)
  gap_too_old = 12,    // the requested events are no longer retained
  shutting_down = 13,  // the broker is about to stop
  storage = 14,        // the journal has no space
  unsupported = 15,    // understood, but not offered here
  invalid = 16,        // a field has an unacceptable value; `field` names it
  cycle = 17,          // the workflow's dependencies contain a cycle
  unsatisfiable = 18,  // no worker could ever run it; `field` names the requirement
};
inline constexpr ErrorCode kLastErrorCode = ErrorCode::unsatisfiable;

// "UNKNOWN_TASK" and so on; "CODE_<n>" is never returned: unknown numbers are refused by the codec.
[[nodiscard]] std::string_view name_of(ErrorCode code);

// An expected failure: what is wrong, which field, what to do. `text` is a sentence for people and
// names the remedy where there is one.
struct Error {
  ErrorCode code = ErrorCode::ok;
  std::string text;
  std::string field;                        // empty when no single field is at fault
  std::optional<std::uint32_t> retry_ms{};  // set with `busy` and `storage`

  friend bool operator==(const Error&, const Error&) = default;
};

}  // namespace taskpipe
