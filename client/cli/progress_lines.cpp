#include "client/cli/progress_lines.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "client/cli/progress_summary.hpp"
#include "client/cli/quantities.hpp"

namespace taskpipe::cli {
namespace {

constexpr Millis kLeastGapOfProgressLines{500};
constexpr std::size_t kGap = 2;
constexpr std::size_t kPercentColumns = 4;    // "100%"
constexpr std::size_t kElapsedColumns = 7;    // "1:02:05"
constexpr std::size_t kRemainingColumns = 8;  // "ETA 0:20"
constexpr std::size_t kRateColumns = 9;       // "12.5%/min"
constexpr std::size_t kLeastColumnsForRate = 110;
constexpr std::size_t kLeastLabelColumns = 10;
constexpr std::size_t kLeastBarColumns = 8;  // holds every name of a state
constexpr std::size_t kMostBarColumns = 24;
constexpr std::size_t kMostNodeColumns = 16;
constexpr std::size_t kLeastMessageColumns = 12;

int whole_percent(double percent) {
  // Downwards: 100 % is what has been reached.
  return percent < 0 ? -1 : static_cast<int>(std::floor(std::min(percent, 100.0)));
}

// Columns of each field; 0 = the terminal is too narrow for it.
struct Layout {
  std::size_t label = 0;
  std::size_t bar = 0;
  std::size_t rate = 0;
  std::size_t remaining = 0;
  std::size_t node = 0;
  std::size_t message = 0;
};

Layout layout_of(const std::vector<TrackedTask>& tasks, const std::vector<bool>& shown,
                 std::size_t columns) {
  std::size_t longest_label = 0;
  std::size_t longest_node = 0;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (!shown[i]) continue;
    longest_label = std::max(longest_label, display_width(tasks[i].label));
    longest_node = std::max(longest_node, display_width(tasks[i].worker));
  }
  Layout layout;
  layout.label = std::min(longest_label, std::max(kLeastLabelColumns, columns / 3));
  const std::size_t always = layout.label + kGap + kPercentColumns + kGap + kElapsedColumns;
  std::size_t rest = columns > always ? columns - always : 0;
  const auto take = [&rest](std::size_t least, std::size_t wanted) -> std::size_t {
    if (wanted == 0 || rest < least + kGap) return 0;
    const std::size_t taken = std::min(wanted, rest - kGap);
    rest -= taken + kGap;
    return taken;
  };
  if (columns >= kLeastColumnsForRate) layout.rate = take(kRateColumns, kRateColumns);
  layout.bar = take(kLeastBarColumns, std::clamp(columns / 5, kLeastBarColumns, kMostBarColumns));
  layout.remaining = take(kRemainingColumns, kRemainingColumns);
  layout.node =
      take(std::min<std::size_t>(longest_node, 4), std::min(longest_node, kMostNodeColumns));
  layout.message = take(kLeastMessageColumns, columns);
  return layout;
}

// The state's name where there is no progress to show, else the bar.
std::string gauge(const TrackedTask& task, std::size_t columns, const TextStyle& style) {
  if (columns == 0) return "";
  if (task.state == TaskState::running && task.percent >= 0) {
    return bar_text(task.percent, columns, Tone::active, style);
  }
  const std::string name = task.state == TaskState::running   ? "running"
                           : task.state == TaskState::pending ? "pending"
                                                              : std::string(name_of(task.state));
  return painted(padded(cut_to(name, columns, style.unicode), columns), tone_of(task.state),
                 style.colours);
}

// "3.1%/s", the mean so far; nothing while that says little.
std::string rate_of(const TrackedTask& task, Millis now) {
  const auto elapsed = task.elapsed(now);
  if (!elapsed || !task.remaining(now)) return "";
  const std::string rate =
      rate_text(task.percent / (static_cast<double>(elapsed->count()) / 1000.0));
  return std::string(rate).insert(rate.find('/'), "%");
}

std::string task_line(const TrackedTask& task, const Layout& layout, const TextStyle& style,
                      Millis now) {
  std::string line = padded(cut_to(task.label, layout.label, style.unicode), layout.label);
  const std::string gap(kGap, ' ');
  if (layout.bar > 0) line += gap + gauge(task, layout.bar, style);
  const int percent = task.ended() ? -1 : whole_percent(task.percent);
  line +=
      gap + padded(percent < 0 ? "" : std::to_string(percent) + "%", kPercentColumns, Align::right);
  const auto elapsed = task.elapsed(now);
  std::string time;
  if (elapsed) time = task.ended() ? duration_text(*elapsed) : stopwatch_text(*elapsed);
  line += gap + padded(time, kElapsedColumns, Align::right);
  if (layout.rate > 0) line += gap + padded(rate_of(task, now), layout.rate, Align::right);
  if (layout.remaining > 0) {
    const auto remaining = task.remaining(now);
    const std::string text = remaining ? "ETA " + stopwatch_text(*remaining) : "";
    line += gap + padded(cut_to(text, layout.remaining, style.unicode), layout.remaining);
  }
  if (layout.node > 0) {
    line += gap + padded(cut_to(task.worker, layout.node, style.unicode), layout.node);
  }
  if (layout.message > 0) {
    line +=
        gap + painted(cut_to(task.message, layout.message, style.unicode),
                      task.ended() && task.state != TaskState::success ? Tone::bad : Tone::faint,
                      style.colours);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

// All of them where they fit with the summary; else the running ones, as many as fit: a thousand
// tasks must neither flood the terminal nor hide what happens now.
std::vector<bool> choose_shown(const std::vector<TrackedTask>& tasks, std::size_t rows) {
  if (tasks.size() < rows || tasks.size() == 1) return std::vector<bool>(tasks.size(), true);
  std::vector<bool> shown(tasks.size(), false);
  std::size_t left = rows - 1;  // the last row is the summary
  for (std::size_t i = 0; i < tasks.size() && left > 0; ++i) {
    if (tasks[i].state != TaskState::running) continue;
    shown[i] = true;
    --left;
  }
  return shown;
}

}  // namespace

Tone tone_of(TaskState state) {
  switch (state) {
    case TaskState::pending: return Tone::faint;
    case TaskState::running: return Tone::active;
    case TaskState::success: return Tone::good;
    case TaskState::failure:
    case TaskState::error: return Tone::bad;
    case TaskState::timeout:
    case TaskState::cancelled: return Tone::warning;
  }
  return Tone::plain;
}

std::string bar_text(double percent, std::size_t columns, Tone tone, const TextStyle& style) {
  // In halves of a column, downwards: a full bar is a finished one.
  const double share = std::clamp(percent, 0.0, 100.0) / 100.0;
  const auto halves = static_cast<std::size_t>(share * static_cast<double>(columns * 2));
  const std::size_t full = halves / 2;
  std::string done;
  std::string left;
  if (!style.unicode) {
    done.assign(full, '#');
    left.assign(columns - full, '-');
  } else {
    for (std::size_t i = 0; i < full; ++i) done += "━";
    const bool half = halves % 2 == 1;
    if (half) done += "╸";
    // Without colours the two parts must differ in shape.
    for (std::size_t i = full + (half ? 1 : 0); i < columns; ++i) left += style.colours ? "━" : "┄";
  }
  return painted(done, tone, style.colours && !done.empty()) +
         painted(left, Tone::faint, style.colours && !left.empty());
}

std::vector<std::string> board_lines(const std::vector<TrackedTask>& tasks, std::size_t rows,
                                     const TextStyle& style, Millis now, const Pace& pace) {
  const std::vector<bool> shown = choose_shown(tasks, std::max<std::size_t>(rows, 2));
  const Layout layout = layout_of(tasks, shown, style.columns);
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (shown[i]) lines.push_back(task_line(tasks[i], layout, style, now));
  }
  if (tasks.size() > 1) lines.push_back(summary_line(tally_of(tasks), pace, style, now));
  return lines;
}

std::optional<std::string> ChangeLog::line(std::size_t index, const TrackedTask& task,
                                           WallTime wall, Millis now) {
  Printed& last = printed_.at(index);
  const int percent = whole_percent(task.percent);
  const bool new_state = last.state != task.state || last.attempt != task.attempt;
  const bool new_progress = percent != last.percent || task.message != last.message;
  if (!new_state && (!new_progress || now - last.at < kLeastGapOfProgressLines)) {
    return std::nullopt;
  }
  std::string line = time_of_day_text(wall) + " " + task.label;
  const bool shows_progress = task.state == TaskState::running && percent >= 0;
  if (new_state || !shows_progress) line.append(" ").append(name_of(task.state));
  if (shows_progress) line += " " + std::to_string(percent) + "%";
  if (task.ended() && task.run_time) line += " in " + duration_text(*task.run_time);
  if (new_state && !task.worker.empty()) line += " on " + task.worker;
  if (!task.message.empty()) line += (task.ended() ? ": " : " ") + task.message;
  last = {task.state, task.attempt, percent, task.message, now};
  return line;
}

}  // namespace taskpipe::cli
