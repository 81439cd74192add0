// How the state of `taskpipe top` looks.
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "client/cli/progress_lines.hpp"
#include "client/cli/quantities.hpp"
#include "client/cli/task_ids.hpp"
#include "client/cli/top/top_state.hpp"

namespace taskpipe::cli::top {
namespace {

constexpr std::size_t kMostWorkerLines = 8;
constexpr std::size_t kIdColumns = 32;  // whole: it is what is copied
constexpr std::size_t kNarrowIdColumns = 13;
constexpr std::size_t kColumnsForWholeIds = 140;
constexpr std::size_t kBarColumns = 12;
constexpr std::size_t kLabelColumns = 24;
constexpr std::size_t kWorkerColumns = 10;

constexpr std::array<std::string_view, 14> kHelp = {
    "up, down, j, k     choose a task        page up/down, g, G  further",
    "l or Enter         follow what it writes (e: to stderr)",
    "c                  cancel it, after asking",
    "s, r               sort by the next column, reverse",
    "/                  show what contains a text; Esc: all",
    "w                  show workers or not",
    "R                  read all tasks again",
    "h or ?             this help",
    "q                  quit; in a log: back",
    "",
    "Tasks come pushed by events; workers and health are read every two seconds.",
    "Waiting tasks and ended ones are shown as far as they are recent.",
    "",
    "any key goes back"};

Tone tone_of_worker(WorkerState state) {
  return state == WorkerState::ready  ? Tone::good
         : state == WorkerState::lost ? Tone::bad
                                      : Tone::warning;
}

Line plain(std::string text, Tone tone = Tone::plain) { return {{{std::move(text), tone}}}; }

// Cuts the pieces where the line ends.
void fit(Line& line, std::size_t columns, bool unicode) {
  std::size_t left = columns;
  for (Piece& piece : line.pieces) {
    piece.text = left == 0 ? "" : cut_to(piece.text, left, unicode);
    left -= std::min(left, display_width(piece.text));
  }
}

std::string bar(double share, std::size_t columns, bool unicode) {
  return bar_text(100.0 * share, columns, Tone::plain, {.columns = 0, .unicode = unicode});
}

std::string percent_text(double percent) {
  return percent < 0 ? "" : std::to_string(static_cast<int>(std::floor(percent))) + "%";
}

// Tasks of one submit differ in the last digits alone.
std::string id_text(const TaskId& id, std::size_t columns, bool unicode) {
  std::string whole = id.to_string();
  if (columns >= whole.size()) return whole;
  return whole.substr(0, unicode ? 8 : 6) + (unicode ? "…" : "...") + whole.substr(28);
}

Line task_line(const TopTask& task, std::size_t id_columns, bool unicode, Millis now) {
  const TaskRow& row = task.row;
  const auto column = [unicode](std::string_view text, std::size_t columns,
                                Align align = Align::left) {
    return padded(cut_to(text, columns, unicode), columns, align) + "  ";
  };
  std::string time;
  std::string left;
  if (task.started) {
    TrackedTask tracked;
    tracked.state = row.state;
    tracked.percent = row.progress_percent;
    tracked.started = task.started;
    time = stopwatch_text(*tracked.elapsed(now));
    if (const auto remaining = tracked.remaining(now)) left = stopwatch_text(*remaining);
  } else if (is_terminal(row.state) && row.started.unix_ms != 0) {
    time = duration_text(between(row.started, row.finished));
  }
  const bool shows_bar = row.state == TaskState::running && row.progress_percent >= 0;
  const bool failed = is_terminal(row.state) && row.state != TaskState::success;
  Line line;
  line.pieces = {{column(id_text(row.id, id_columns, unicode), id_columns), Tone::faint},
                 {column(printable(label_of(row.tool, row.script)), kLabelColumns)},
                 {column(taskpipe::name_of(row.state), 8), tone_of(row.state)},
                 {column(shows_bar ? bar(row.progress_percent / 100.0, kBarColumns, unicode) : "",
                         kBarColumns) +
                      column(shows_bar ? percent_text(row.progress_percent) : "", 4, Align::right),
                  Tone::active},
                 {column(time, 8, Align::right) + column(left, 7, Align::right)},
                 {column(printable(row.worker), kWorkerColumns)},
                 {printable(row.message), failed ? Tone::bad : Tone::faint}};
  return line;
}

Line table_title(std::size_t id_columns) {
  return plain(padded("ID", id_columns) + "  " + padded("TASK", kLabelColumns) + "  " +
                   padded("STATE", 8) + "  " + padded("PROGRESS", kBarColumns + 6) + "  " +
                   padded("RAN", 8, Align::right) + "  " + padded("LEFT", 7, Align::right) + "  " +
                   padded("WORKER", kWorkerColumns) + "  MESSAGE",
               Tone::strong);
}

}  // namespace

std::string Line::text() const {
  std::string all;
  for (const Piece& piece : pieces) all += piece.text;
  return all;
}

void TopState::add_header(std::vector<Line>& lines, bool unicode) const {
  Line first = {{{"taskpipe top  ", Tone::strong}, {printable(broker_) + "  ", Tone::plain}}};
  if (!health_) {
    first.pieces.push_back({"no answer yet", Tone::warning});
    lines.push_back(std::move(first));
    return;
  }
  first.pieces.push_back(health_->healthy ? Piece{"healthy", Tone::good}
                                          : Piece{"unhealthy", Tone::bad});
  first.pieces.push_back(
      {"  up " + duration_text(Millis(static_cast<Millis::rep>(health_->uptime_ms)))});
  lines.push_back(std::move(first));
  lines.push_back(plain("tasks    " + std::to_string(health_->tasks_pending) + " waiting, " +
                        std::to_string(health_->tasks_running) + " running, " +
                        std::to_string(health_->tasks_finished) + " finished; here " +
                        std::to_string(ended_ok_) + " succeeded, " + std::to_string(ended_badly_) +
                        " did not"));
  for (const std::string& warning : health_->warnings) {
    lines.push_back(plain("warning  " + printable(warning), Tone::warning));
  }
  if (!show_workers_) return;
  for (std::size_t i = 0; i < std::min(workers_.size(), kMostWorkerLines); ++i) {
    const WorkerRow& worker = workers_[i];
    const std::uint64_t used = worker.total.cpus - std::min(worker.total.cpus, worker.free.cpus);
    const double share =
        worker.total.cpus == 0 ? 0.0 : double(used) / static_cast<double>(worker.total.cpus);
    lines.push_back({{{padded(i == 0 ? "workers" : "", 9)},
                      {padded(cut_to(printable(worker.name), 16, unicode), 18)},
                      {padded(taskpipe::name_of(worker.state), 10), tone_of_worker(worker.state)},
                      {bar(share, kBarColumns, unicode), Tone::active},
                      {"  " + std::to_string(used) + "/" + std::to_string(worker.total.cpus) +
                       " cpus, " + std::to_string(worker.running) + " running"}}});
  }
  if (workers_.size() > kMostWorkerLines) {
    lines.push_back(plain("         and " + std::to_string(workers_.size() - kMostWorkerLines) +
                          " more workers"));
  }
}

void TopState::add_table(std::vector<Line>& lines, TerminalSize size, bool unicode, Millis now) {
  const std::size_t id_columns =
      size.columns >= kColumnsForWholeIds ? kIdColumns : kNarrowIdColumns;
  const auto rows = visible(now);
  order_.clear();
  for (const TopTask* task : rows) order_.push_back(task->row.id);
  auto found =
      chosen_ && chosen_by_hand_ ? std::find(order_.begin(), order_.end(), *chosen_) : order_.end();
  if (found == order_.end()) {
    found = order_.begin();
    chosen_by_hand_ = false;
    chosen_ = order_.empty() ? std::nullopt : std::optional(order_.front());
  }
  lines.push_back(table_title(id_columns));
  table_rows_ = size.rows > lines.size() + 1 ? size.rows - lines.size() - 1 : 1;
  const auto at = static_cast<std::size_t>(found - order_.begin());
  first_row_ = std::min(first_row_, at);
  if (at >= first_row_ + table_rows_) first_row_ = at - table_rows_ + 1;
  if (order_.size() <= table_rows_) first_row_ = 0;
  for (std::size_t i = first_row_; i < std::min(rows.size(), first_row_ + table_rows_); ++i) {
    lines.push_back(task_line(*rows[i], id_columns, unicode, now));
    lines.back().marked = i == at;
  }
  if (rows.empty()) {
    lines.push_back(plain(filter_.empty() ? "no tasks" : "no task contains that", Tone::faint));
  }
}

void TopState::add_log_lines(std::vector<Line>& lines, TerminalSize size) {
  lines.push_back(plain(std::string(log_stream_ == LogStream::out ? "stdout" : "stderr") + " of " +
                            log_task_.to_string(),
                        Tone::strong));
  table_rows_ = size.rows > 3 ? size.rows - 2 : 1;
  log_back_ = std::min(log_back_, log_.size() - std::min(log_.size(), table_rows_));
  const std::size_t end = log_.size() - log_back_;
  const std::size_t begin = end - std::min(end, table_rows_);
  for (std::size_t i = begin; i < end; ++i) lines.push_back(plain(printable(log_[i])));
}

Line TopState::last_line() const {
  if (mode_ == Mode::confirming_cancel) {
    return plain("cancel " + cancel_task_.to_string() + "? y = yes, any other key = no",
                 Tone::warning);
  }
  if (mode_ == Mode::typing_filter) return plain("/" + filter_, Tone::strong);
  if (!said_.empty()) return plain(printable(said_), Tone::warning);
  if (mode_ == Mode::log) {
    return plain(
        "q back  e stdout/stderr  arrows scroll" +
            (log_back_ > 0 ? "  (" + std::to_string(log_back_) + " lines further)" : std::string()),
        Tone::faint);
  }
  std::string text = "q quit  h help  c cancel  l log  s sort: " + std::string(name_of(sort_)) +
                     (reversed_ ? " reversed" : "") + "  / filter";
  if (!filter_.empty()) text += ": " + filter_;
  return plain(text, Tone::faint);
}

std::vector<Line> TopState::lines(TerminalSize size, bool unicode, Millis now) {
  std::vector<Line> lines;
  if (mode_ == Mode::help) {
    for (const std::string_view line : kHelp) lines.push_back(plain(std::string(line)));
  } else if (mode_ == Mode::log) {
    add_log_lines(lines, size);
  } else {
    add_header(lines, unicode);
    add_table(lines, size, unicode, now);
  }
  lines.resize(size.rows > 0 ? size.rows - 1 : 0);
  lines.push_back(last_line());
  for (Line& line : lines) fit(line, size.columns, unicode);
  return lines;
}

}  // namespace taskpipe::cli::top
