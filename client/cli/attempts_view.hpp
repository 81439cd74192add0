// The attempts of a task, one after the other, for people and for programs.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "client/cli/table.hpp"
#include "common/model/value.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::cli {

// One attempt, and what became of it: "retried", "lost", "late" or "decided"; "running" while it
// is.
struct AttemptView {
  std::string_view became;
  PastAttempt attempt;
};

// Those that `row` knows of, oldest first, and at last the one by which `result` was decided, or
// that runs; null = the task has not ended.
[[nodiscard]] std::vector<AttemptView> attempts_of(const TaskRow& row, const TaskResult* result);

// [{attempt, epoch, became, state, failure_class, worker, started, ended, duration_seconds,
// exit_code, signal, reason}]; one that runs has null for its epoch, which rows do not tell
[[nodiscard]] ValueList attempt_documents(std::span<const AttemptView> attempts);
// A table of them.
[[nodiscard]] std::string attempts_text(std::span<const AttemptView> attempts,
                                        const TextStyle& style);
// A line for each that did not decide: "  attempt 1 retried on node1: exited with code 3".
[[nodiscard]] std::string past_attempts_text(const TaskRow& row, const TextStyle& style);

}  // namespace taskpipe::cli
