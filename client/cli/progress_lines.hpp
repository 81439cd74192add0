// How a followed task looks: as a bar on a terminal, as a line of a log. Pure text.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/display_text.hpp"
#include "client/cli/progress.hpp"
#include "client/cli/progress_summary.hpp"
#include "client/cli/table.hpp"

namespace taskpipe::cli {

// "━━━━━━╸━━━━" of exactly `columns`, the done part in `tone`; "####------" without unicode.
// `percent` is held to 0–100.
[[nodiscard]] std::string bar_text(double percent, std::size_t columns, Tone tone,
                                   const TextStyle& style);

// Tone that a state is shown in.
[[nodiscard]] Tone tone_of(TaskState state);

// The board: one line per task, at most `rows` lines, each at most `style.columns` wide:
//
//   lammps example.lammps  ━━━━━━━━╸━━━━━━━━━━━━━   37%   0:12  ETA 0:20  node-a  step 370 of 1000
//
// From 110 columns on also the rate ("3.1%/s"). Of several tasks the last line is the summary;
// where they do not fit, only running ones are shown above it.
[[nodiscard]] std::vector<std::string> board_lines(const std::vector<TrackedTask>& tasks,
                                                   std::size_t rows, const TextStyle& style,
                                                   Millis now, const Pace& pace = {});

// The log for pipes: one line per change worth a line.
class ChangeLog {
 public:
  explicit ChangeLog(std::size_t tasks) : printed_(tasks) {}

  // "12:00:01 lammps example.lammps 37% step 370 of 1000", or nothing when it says no more than
  // the task's line before it, or the task had a line of progress within the last half second.
  // Every change of state has its line. `index` is the task's.
  [[nodiscard]] std::optional<std::string> line(std::size_t index, const TrackedTask& task,
                                                WallTime wall, Millis now);

 private:
  struct Printed {
    std::optional<TaskState> state{};
    Attempt attempt;
    int percent = -1;
    std::string message;
    Millis at{};
  };
  std::vector<Printed> printed_;
};

}  // namespace taskpipe::cli
