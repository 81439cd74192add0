// The vocabulary of tasks: states, what was asked for, how it ended.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/model/error.hpp"
#include "common/model/ids.hpp"
#include "common/model/payload.hpp"
#include "common/model/resources.hpp"
#include "common/model/time.hpp"

namespace taskpipe {

// pending covers every reason for not running: dependencies, no free worker, sent but not started.
// failure is the tool's doing (non-zero exit, signal, out of memory), error is ours (no such
// script, cannot spawn, lost too often, rejected). Stable on the wire and on disk.
enum class TaskState : std::uint8_t {
  pending = 0,
  running = 1,
  success = 2,
  failure = 3,
  timeout = 4,
  error = 5,
  cancelled = 6,
};
inline constexpr TaskState kLastTaskState = TaskState::cancelled;

[[nodiscard]] constexpr bool is_terminal(TaskState state) { return state >= TaskState::success; }

// The one table of legal transitions. A terminal state never changes. pending may end directly: a
// cancel, a rejection, or a result that arrives together with its start.
[[nodiscard]] constexpr bool can_transition(TaskState from, TaskState to) {
  switch (from) {
    case TaskState::pending: return to != TaskState::pending;
    case TaskState::running: return to != TaskState::running;  // back to pending: requeued
    default: return false;
  }
}

// The names callers see: PENDING, RUNNING, SUCCESS, FAILURE, timeout, error, REVOKED.
[[nodiscard]] std::string_view name_of(TaskState state);
[[nodiscard]] std::optional<TaskState> parse_task_state(std::string_view name);

// Why an attempt did not succeed. Stable on the wire and on disk.
enum class FailureClass : std::uint8_t {
  none = 0,
  exit = 1,         // non-zero exit code
  signal = 2,       // killed by a signal that was not ours
  oom = 3,          // killed for exceeding its memory
  timeout = 4,      // exceeded its run-time limit
  worker_lost = 5,  // its worker went silent past the lease
  spawn = 6,        // could not be started
  cancelled = 7,    // on request
  rejected = 8,     // a worker or the broker refused it (no such script, bad params, …)
};
inline constexpr FailureClass kLastFailureClass = FailureClass::rejected;
[[nodiscard]] std::string_view name_of(FailureClass failure);

// Sets of failure classes, a bit for each.
[[nodiscard]] constexpr std::uint32_t failure_bit(FailureClass failure) {
  return 1U << static_cast<unsigned>(failure);
}
// What a retry policy may name. The loss of a worker has a budget of its own, and a cancelled task
// was not wanted any more.
inline constexpr std::uint32_t kRetryableFailures =
    failure_bit(FailureClass::exit) | failure_bit(FailureClass::signal) |
    failure_bit(FailureClass::oom) | failure_bit(FailureClass::timeout) |
    failure_bit(FailureClass::spawn) | failure_bit(FailureClass::rejected);
// Unless it says which: a task that one worker has refused is usually refused by all.
inline constexpr std::uint32_t kUsuallyRetriedFailures =
    kRetryableFailures & ~failure_bit(FailureClass::rejected);

struct Label {
  std::string key;
  std::string value;
  friend auto operator<=>(const Label&, const Label&) = default;
};

// A file that the task finds in its attempt's directory. Its content lies in the broker's store,
// under its hash.
struct TaskInput {
  std::string name;    // relative to the attempt's directory
  std::string sha256;  // 64 lower-case hex digits
  std::uint64_t size_bytes = 0;
  bool executable = false;
  friend bool operator==(const TaskInput&, const TaskInput&) = default;
};

// "a/b.txt": relative, without empty parts, "." and "..", NUL and control characters.
[[nodiscard]] bool is_plain_relative_path(std::string_view path);
// 64 lower-case hex digits.
[[nodiscard]] bool is_sha256_hex(std::string_view text);

struct TaskLimits {
  std::uint64_t run_time_ms = 0;  // 0 = the tool's own limit
  std::uint32_t grace_ms = 0;     // between SIGTERM and SIGKILL; 0 = limits::kDefaultGraceMs
  // Ready, but given to no worker for longer than this: it ends as `timeout`. 0 = it waits.
  std::uint64_t queue_time_ms = 0;
  // An attempt that writes nothing and reports nothing for longer than this is stopped as one that
  // exceeded its run time. 0 = it may be silent.
  std::uint64_t no_progress_ms = 0;
  friend bool operator==(const TaskLimits&, const TaskLimits&) = default;
};

// Whether and when an attempt that failed is followed by another. An attempt that was lost with its
// worker did not fail: it is repeated at once, and counted apart.
struct RetryPolicy {
  std::uint32_t max_attempts = 1;                    // 1 = the first failure is final
  std::uint32_t failures = kUsuallyRetriedFailures;  // bits of the classes that are tried again
  std::uint32_t backoff_ms = 1000;  // before the second attempt; doubles with each further one
  std::uint32_t max_backoff_ms = 60'000;           // and grows no longer than this
  std::optional<std::uint32_t> max_worker_losses;  // none = the broker's own bound
  friend bool operator==(const RetryPolicy&, const RetryPolicy&) = default;
};

// How long the next attempt waits after `failed` (1, 2, …) failed ones: min(max_backoff, backoff ×
// 2^(failed-1)), of which the second half is scattered by `seed`, so that tasks which failed
// together do not come back together ("equal jitter", Brooker, Exponential Backoff And Jitter,
// 2015). Equal arguments give equal results.
[[nodiscard]] std::uint32_t backoff_ms(const RetryPolicy& policy, std::uint32_t failed,
                                       std::uint64_t seed);

// Everything about a task but its params. Tasks of a batch usually share one, so it is held by
// shared_ptr and never changed once made.
struct TaskSpec {
  std::string tool;
  std::string script;     // a name in the tool's script folders, or the name of the inline script
  Payload inline_script;  // travels with the task; empty = the worker's own file
  std::int32_t priority = 0;  // larger runs earlier
  Resources resources;        // as asked for; cpus 0 means 1
  TaskLimits limits;
  RetryPolicy retry;
  std::vector<Label> labels;       // sorted by key, each once
  bool wait_for_capacity = false;  // wait, rather than UNSATISFIABLE, when no worker could run it
  std::vector<TaskInput> inputs;   // fetched before the start; names are unique

  friend bool operator==(const TaskSpec&, const TaskSpec&) = default;
};
using TaskSpecPtr = std::shared_ptr<const TaskSpec>;

// Whether the script travels with the task, inline or as an input of its name, so that the worker
// needs none of its own.
[[nodiscard]] bool brings_script(const TaskSpec& spec);

// INVALID or TOO_BIG naming the field, or nothing. Checked by the client before it sends and by the
// broker when it receives.
[[nodiscard]] std::optional<Error> check_spec(const TaskSpec& spec);

// Fingerprint (XXH3-128 of the encoded params) that tells a resend from a conflicting id.
struct ParamsHash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend auto operator<=>(const ParamsHash&, const ParamsHash&) = default;
};

// A node that an attempt occupies. The first of a list is the lead, which alone reports the result.
struct Placement {
  PeerUuid worker;
  friend auto operator<=>(const Placement&, const Placement&) = default;
};

// What the kernel counted for an attempt and all its descendants.
struct Usage {
  std::uint64_t wall_us = 0;
  std::uint64_t user_us = 0;
  std::uint64_t system_us = 0;
  std::uint64_t max_rss_bytes = 0;
  friend bool operator==(const Usage&, const Usage&) = default;
};

// How an attempt ended.
struct Outcome {
  TaskState state = TaskState::error;  // terminal
  FailureClass failure = FailureClass::none;
  std::int32_t exit_code = 0;  // meaningful with state success and failure class exit
  std::int32_t signal = 0;     // meaningful with failure class signal and oom
  Usage usage;
  std::string reason;  // a sentence for people; empty on success
  Payload report;      // an encoded RunReport; opaque to the broker; may be empty
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// An attempt that is over and did not decide how its task ended.
enum class PastKind : std::uint8_t {
  retried = 0,  // it failed, and the policy allowed another
  lost = 1,     // its worker was silent past the lease
  late = 2,     // its result came when it counted no more
};
inline constexpr PastKind kLastPastKind = PastKind::late;
[[nodiscard]] std::string_view name_of(PastKind kind);

struct PastAttempt {
  PastKind kind = PastKind::retried;
  Epoch epoch;
  Attempt attempt;
  std::string worker;  // name
  WallTime started;    // 0 = it never said so
  WallTime ended;
  Outcome outcome;  // without report
  friend bool operator==(const PastAttempt&, const PastAttempt&) = default;
};

}  // namespace taskpipe
