// What is known about the tasks that somebody follows: pure bookkeeping, the clock is an argument.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "taskpipe/client.hpp"

namespace taskpipe::cli {

struct TrackedTask {
  TaskId id;
  std::string label;  // "lammps example.lammps", made unique among the followed ones
  TaskState state = TaskState::pending;
  FailureClass failure = FailureClass::none;
  Attempt attempt;
  double percent = -1.0;  // negative = unknown
  std::string message;
  std::string worker;
  std::optional<Millis> started{};   // of the present attempt, on the clock of `now`
  std::optional<Millis> run_time{};  // once it has ended and had started

  [[nodiscard]] bool ended() const { return is_terminal(state); }
  // Time it has run until `now`; nothing before it starts.
  [[nodiscard]] std::optional<Millis> elapsed(Millis now) const;
  // Time it will still run if it goes on at its mean pace so far; nothing while that says little
  // (below 1 %, or in the first second).
  [[nodiscard]] std::optional<Millis> remaining(Millis now) const;
};

class Progress {
 public:
  // `labels` are as many as `ids`; equal ones get a number: "a [1]", "a [2]".
  Progress(std::span<const TaskId> ids, std::vector<std::string> labels);

  // What was known before the first event. `wall` and `now` are the same moment.
  void seed(const TaskRow& row, WallTime wall, Millis now);
  // The task that changed, by index; nothing when the event changes nothing or is of another task.
  // Events of an earlier attempt, and whatever follows the end of a task, are ignored.
  std::optional<std::size_t> apply(const TaskEvent& event, Millis now);
  // Takes over what the result says more precisely than events do.
  void apply(const TaskResult& result);

  [[nodiscard]] const std::vector<TrackedTask>& tasks() const { return tasks_; }
  [[nodiscard]] bool all_ended() const;

 private:
  std::vector<TrackedTask> tasks_;
  std::unordered_map<TaskId, std::size_t> index_;
};

}  // namespace taskpipe::cli
