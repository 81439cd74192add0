#include "client/cli/progress_summary.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "client/cli/progress_lines.hpp"
#include "client/cli/quantities.hpp"

namespace taskpipe::cli {
namespace {

constexpr Millis kLeastTimeForPace{1000};
constexpr double kLeastWorkForPace = 0.01;  // tasks
constexpr std::size_t kBarColumns = 20;
constexpr std::size_t kLeastColumnsForBar = 70;

}  // namespace

void Tally::add(TaskState state, double percent) {
  switch (state) {
    case TaskState::pending: ++pending; return;
    case TaskState::running:
      ++running;
      work_done += std::clamp(percent, 0.0, 100.0) / 100.0;
      return;
    case TaskState::success: ++succeeded; break;
    case TaskState::cancelled: ++cancelled; break;
    case TaskState::failure:
    case TaskState::timeout:
    case TaskState::error: ++failed; break;
  }
  work_done += 1.0;
}

Tally tally_of(const std::vector<TrackedTask>& tasks) {
  Tally tally;
  for (const TrackedTask& task : tasks) tally.add(task.state, task.percent);
  return tally;
}

Millis Pace::elapsed(Millis now) const {
  return began_ ? std::max(now - *began_, Millis::zero()) : Millis::zero();
}

std::optional<double> Pace::tasks_per_second(const Tally& tally, Millis now) const {
  const double work = tally.work_done - work_then_;
  if (elapsed(now) < kLeastTimeForPace || work < kLeastWorkForPace) return std::nullopt;
  return work / (static_cast<double>(elapsed(now).count()) / 1000.0);
}

std::optional<Millis> Pace::remaining(const Tally& tally, Millis now) const {
  const auto rate = tasks_per_second(tally, now);
  const double left = static_cast<double>(tally.total()) - tally.work_done;
  if (!rate || tally.ended() == tally.total()) return std::nullopt;
  return Millis(static_cast<Millis::rep>(left / *rate * 1000.0));
}

std::string rate_text(double per_second) {
  const bool slow = per_second < 1.0;
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.1f/%s", slow ? per_second * 60.0 : per_second,
                slow ? "min" : "s");
  return buffer.data();
}

std::string summary_text(const Tally& tally, const Pace& pace, Millis now) {
  std::string text = std::to_string(tally.ended()) + "/" + std::to_string(tally.total()) + " done";
  const auto count = [&text](std::size_t number, std::string_view word) {
    if (number > 0) text += ", " + std::to_string(number) + " " + std::string(word);
  };
  count(tally.running, "running");
  count(tally.failed, "failed");
  count(tally.cancelled, "cancelled");
  count(tally.pending, "waiting");
  if (tally.ended() == tally.total()) {
    if (pace.elapsed(now) > Millis::zero()) text += ", in " + duration_text(pace.elapsed(now));
    return text;
  }
  if (const auto rate = pace.tasks_per_second(tally, now)) text += ", " + rate_text(*rate);
  if (const auto left = pace.remaining(tally, now)) text += ", ETA " + stopwatch_text(*left);
  return text;
}

std::string summary_line(const Tally& tally, const Pace& pace, const TextStyle& style, Millis now) {
  const std::string text = summary_text(tally, pace, now);
  const std::size_t columns = style.columns == 0 ? kLeastColumnsForBar : style.columns;
  if (tally.total() == 0 || columns < kLeastColumnsForBar) {
    return cut_to(text, columns, style.unicode);
  }
  const double percent = 100.0 * tally.work_done / static_cast<double>(tally.total());
  const Tone tone = tally.failed > 0 ? Tone::bad : Tone::good;
  return bar_text(percent, kBarColumns, tone, style) + "  " +
         cut_to(text, columns - kBarColumns - 2, style.unicode);
}

}  // namespace taskpipe::cli
