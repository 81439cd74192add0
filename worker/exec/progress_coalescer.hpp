// Thins a tool's progress to one report per limits::kProgressIntervalMs without losing the last.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "common/model/limits.hpp"
#include "common/model/time.hpp"
#include "worker/exec/executor.hpp"

namespace taskpipe::worker {

// The first report is due at once, later ones at the interval; a report carries the latest percent
// and message and the latest value of each metric since the one before. Also keeps each metric's
// last value for the final report. What a parser delivers is made fit here: text is valid UTF-8 of
// bounded length, percentages lie within 0 and 100, numbers are finite.
class ProgressCoalescer {
 public:
  void add(const ParsedLine& line);
  // When `take` will have something to give; nothing while nothing is pending. Never earlier than
  // an interval after the last `take`.
  [[nodiscard]] std::optional<MonotonicTime> due() const;
  // The pending report, if any; due or not.
  [[nodiscard]] std::optional<ParsedLine> take(MonotonicTime now);
  // At most limits::kMaxMetrics; the first that appeared are kept.
  [[nodiscard]] const std::map<std::string, double>& last_metrics() const { return last_metrics_; }

 private:
  std::optional<ParsedLine> pending_;
  MonotonicTime not_before_{};
  std::map<std::string, double> last_metrics_;
};

}  // namespace taskpipe::worker
