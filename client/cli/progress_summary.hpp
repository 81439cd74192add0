// Many tasks in one line: how many are where, at which pace, and how long it will take. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/progress.hpp"
#include "client/cli/table.hpp"

namespace taskpipe::cli {

struct Tally {
  std::size_t pending = 0;
  std::size_t running = 0;
  std::size_t succeeded = 0;
  std::size_t failed = 0;  // failure, timeout, error
  std::size_t cancelled = 0;
  // In tasks: an ended one counts as one, a running one as the part that it reports.
  double work_done = 0.0;

  void add(TaskState state, double percent = -1.0);
  [[nodiscard]] std::size_t ended() const { return succeeded + failed + cancelled; }
  [[nodiscard]] std::size_t total() const { return pending + running + ended(); }
};
[[nodiscard]] Tally tally_of(const std::vector<TrackedTask>& tasks);

// How fast a set of tasks has gone since somebody looks on.
class Pace {
 public:
  // Nothing is known: no rate, no estimate.
  Pace() = default;
  Pace(const Tally& tally, Millis now) : began_(now), work_then_(tally.work_done) {}

  [[nodiscard]] Millis elapsed(Millis now) const;
  // Tasks per second; nothing in the first second and before anything has been done.
  [[nodiscard]] std::optional<double> tasks_per_second(const Tally& tally, Millis now) const;
  [[nodiscard]] std::optional<Millis> remaining(const Tally& tally, Millis now) const;

 private:
  std::optional<Millis> began_{};
  double work_then_ = 0.0;
};

// "1.9/s", "12.0/min": per minute where it is slower than one a second.
[[nodiscard]] std::string rate_text(double per_second);

// "12/40 done, 3 running, 1 failed, 25 waiting, 1.9/s, ETA 0:12"
[[nodiscard]] std::string summary_text(const Tally& tally, const Pace& pace, Millis now);
// The same behind a bar where `style.columns` have room for one; at most that wide.
[[nodiscard]] std::string summary_line(const Tally& tally, const Pace& pace, const TextStyle& style,
                                       Millis now);

}  // namespace taskpipe::cli
