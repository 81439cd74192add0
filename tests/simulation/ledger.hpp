// What the outside has seen: the history that the checker holds against the promise. Nothing in it
// comes from inside the broker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/model/ids.hpp"
#include "common/model/task.hpp"
#include "common/model/time.hpp"

namespace taskpipe::simulation {

namespace fact {

// What a task asks for, where it matters to what may be seen.
struct Terms {
  std::uint32_t max_attempts = 1;  // that may fail
  Millis backoff{0};               // before the second, doubled before each further one
  Millis max_backoff{0};
  Millis queue_time{0};  // 0 = it waits as long as it takes
};
// A client has begun to submit. `after`: tasks of the same workflow that must have ended before;
// `cancel_dependents`: it is to be cancelled when one of them does not succeed.
struct Submitted {
  TaskId task;
  std::vector<TaskId> after;
  bool cancel_dependents = false;
  Terms terms{};
};
// The broker has said that it is durable.
struct Acknowledged {
  TaskId task;
};
// The client was told no. `doubtful`: it may have been accepted all the same.
struct Refused {
  TaskId task;
  bool doubtful = false;
};
// A worker began to run the tool.
struct Began {
  AttemptKey attempt;
  std::uint32_t node = 0;
};
// The tool came to its end, and this is what its worker knows of it.
struct Ran {
  AttemptKey attempt;
  TaskState state = TaskState::success;
  std::string report;
};
// A client was told how the task ended.
struct EndSeen {
  TaskId task;
  AttemptKey attempt;  // attempt 0 when it never ran
  TaskState state = TaskState::success;
  FailureClass failure = FailureClass::none;
  std::string report;
};
// A client has begun to ask for its end.
struct CancelAsked {
  TaskId task;
};
// A client was told that the cancel is recorded; `was_live`: that the task had not ended.
struct CancelPromised {
  TaskId task;
  bool was_live = false;
};
// A client was told that there is no such task, when it asked at that time.
struct UnknownSeen {
  TaskId task;
  MonotonicTime asked;
};
// In the end a client still waits for the answer to its submit or wait.
struct Unanswered {
  TaskId task;
  std::string what;  // "submit", "wait"
};
// The tool killed the worker that ran it.
struct Killed {
  AttemptKey attempt;
};
// A node died while it ran something: whatever ran there ended without a word.
struct NodeDied {
  std::uint32_t node = 0;
};

}  // namespace fact

using Fact = std::variant<fact::Submitted, fact::Acknowledged, fact::Refused, fact::Began,
                          fact::Ran, fact::EndSeen, fact::CancelAsked, fact::CancelPromised,
                          fact::UnknownSeen, fact::Unanswered, fact::NodeDied, fact::Killed>;

struct Entry {
  MonotonicTime at;
  Fact fact;
};
using Ledger = std::vector<Entry>;

// "epoch/attempt", for people.
[[nodiscard]] std::string number_of(const AttemptKey& key);
// One line for people, when the entry is about that task.
[[nodiscard]] std::optional<std::string> describe(const Entry& entry, const TaskId& task);

}  // namespace taskpipe::simulation
