#include "client/cli/top/top_state.hpp"

#include <algorithm>
#include <utility>

#include "client/cli/quantities.hpp"

namespace taskpipe::cli::top {
namespace {

int rank_of(TaskState state) {
  return state == TaskState::running ? 0 : state == TaskState::pending ? 1 : 2;
}

Millis run_time_of_row(const TopTask& task, Millis now) {
  if (task.started) return now - *task.started;
  return is_terminal(task.row.state) ? between(task.row.started, task.row.finished) : Millis(-1);
}

// Less = further up. Ties go by the order of arrival, the newest first.
int compare(const TopTask& a, const TopTask& b, SortBy order, Millis now) {
  const auto sign = [](auto x, auto y) { return x < y ? -1 : (y < x ? 1 : 0); };
  switch (order) {
    case SortBy::state: return sign(rank_of(a.row.state), rank_of(b.row.state));
    case SortBy::tool:
      return sign(a.row.tool + " " + a.row.script, b.row.tool + " " + b.row.script);
    case SortBy::progress: return sign(b.row.progress_percent, a.row.progress_percent);
    case SortBy::run_time: return sign(run_time_of_row(b, now), run_time_of_row(a, now));
    case SortBy::worker: return sign(a.row.worker, b.row.worker);
    case SortBy::age: return 0;
  }
  return 0;
}

}  // namespace

std::string_view name_of(SortBy order) {
  switch (order) {
    case SortBy::state: return "state";
    case SortBy::tool: return "tool";
    case SortBy::progress: return "progress";
    case SortBy::run_time: return "run time";
    case SortBy::worker: return "worker";
    case SortBy::age: return "age";
  }
  return "?";
}

void TopState::begin_listing() {
  listing_ = true;
  listed_.clear();
}

void TopState::list(const TaskRow& row, WallTime wall, Millis now) {
  listed_[row.id] = true;
  const auto [found, is_new] = tasks_.try_emplace(row.id);
  TopTask& task = found->second;
  // What an event has told meanwhile is newer than a listing that says less.
  if (!is_new && is_terminal(task.row.state) && !is_terminal(row.state)) return;
  task.row = row;
  if (is_new) task.arrival = ++arrivals_;
  task.started.reset();
  if (row.state == TaskState::running && row.started.unix_ms != 0) {
    task.started = now - between(row.started, wall);
  }
}

void TopState::end_listing() {
  std::erase_if(tasks_, [this](const auto& entry) { return !listed_.contains(entry.first); });
  listing_ = false;
  listed_.clear();
  forget_old();
}

void TopState::apply(const TaskEvent& event, Millis now) {
  if (listing_) listed_[event.id] = true;
  const auto [found, is_new] = tasks_.try_emplace(event.id);
  TopTask& task = found->second;
  TaskRow& row = task.row;
  if (is_new) {
    row.id = event.id;
    row.submitted = event.at;
    task.arrival = ++arrivals_;
  } else if (is_terminal(row.state) || event.attempt < row.attempt) {
    return;  // a late word about what has ended
  }
  if (event.attempt != row.attempt || event.state == TaskState::pending) {
    row.progress_percent = -1.0;
    row.message.clear();
    task.started.reset();
  }
  row.attempt = event.attempt;
  row.state = event.state;
  row.failure = event.failure;
  row.tool = event.tool;
  row.script = event.script;
  row.worker = event.worker;
  if (event.percent >= 0) row.progress_percent = event.percent;
  // The last step that it was at says nothing about its end.
  if (!event.message.empty() || is_terminal(event.state)) row.message = event.message;
  if (row.state == TaskState::running && !task.started) {
    task.started = now;
    row.started = event.at;
  }
  if (!is_terminal(row.state)) return;
  ++(row.state == TaskState::success ? ended_ok_ : ended_badly_);
  row.finished = event.at;
  task.started.reset();
  if (!listing_) forget_old();
}

void TopState::forget_old() {
  std::vector<std::pair<std::uint64_t, TaskId>> ended;
  std::vector<std::pair<std::uint64_t, TaskId>> waiting;
  for (const auto& [id, task] : tasks_) {
    if (is_terminal(task.row.state)) ended.emplace_back(task.arrival, id);
    if (task.row.state == TaskState::pending) waiting.emplace_back(task.arrival, id);
  }
  const auto cut = [this](auto& entries, std::size_t most, std::size_t kept) {
    if (entries.size() <= most) return;
    std::sort(entries.begin(), entries.end());
    for (std::size_t i = 0; i + kept < entries.size(); ++i) tasks_.erase(entries[i].second);
  };
  cut(ended, kMostEndedTasks, kMostEndedTasks - kMostEndedTasks / 5);
  cut(waiting, kMostWaitingTasks, kMostWaitingTasks - kMostWaitingTasks / 5);
}

void TopState::set_health(HealthReply health) { health_ = std::move(health); }
void TopState::set_workers(std::vector<WorkerRow> workers) { workers_ = std::move(workers); }
void TopState::say(std::string text) { said_ = std::move(text); }

void TopState::add_log(std::string_view data) {
  while (!data.empty()) {
    if (!log_line_open_) log_.emplace_back();
    const auto newline = data.find('\n');
    std::string& line = log_.back();
    const auto part = data.substr(0, newline);
    line += part.substr(0, kMostLogLineBytes - std::min(line.size(), kMostLogLineBytes));
    log_line_open_ = newline == std::string_view::npos;
    data.remove_prefix(log_line_open_ ? data.size() : newline + 1);
    if (!log_line_open_ && log_back_ > 0) ++log_back_;  // what is looked at stays where it is
  }
  while (log_.size() > kMostLogLines) log_.pop_front();
  log_back_ = std::min(log_back_, log_.size());
}

bool TopState::passes_filter(const TaskRow& row) const {
  if (filter_.empty()) return true;
  const std::string all = row.id.to_string() + " " + row.tool + " " + row.script + " " +
                          row.worker + " " + std::string(taskpipe::name_of(row.state)) + " " +
                          row.owner;
  const auto lower = [](std::string text) {
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return text;
  };
  return lower(all).find(lower(filter_)) != std::string::npos;
}

std::vector<const TopTask*> TopState::visible(Millis now) const {
  std::vector<const TopTask*> rows;
  for (const auto& entry : tasks_) {
    if (passes_filter(entry.second.row)) rows.push_back(&entry.second);
  }
  std::sort(rows.begin(), rows.end(), [this, now](const TopTask* a, const TopTask* b) {
    const int order = compare(*a, *b, sort_, now) * (reversed_ ? -1 : 1);
    if (order != 0) return order < 0;
    const bool newer = a->arrival > b->arrival;
    return sort_ == SortBy::age && reversed_ ? !newer : newer;
  });
  return rows;
}

// --- Keys ---------------------------------------------------------------------------------------

Wish TopState::press(int key) {
  said_.clear();
  switch (mode_) {
    case Mode::help: mode_ = Mode::table; return key == 'q' ? Wish{Wish::Kind::quit} : Wish{};
    case Mode::typing_filter: return press_in_filter(key);
    case Mode::log: return press_in_log(key);
    case Mode::confirming_cancel:
      mode_ = Mode::table;
      if (key == 'y' || key == 'Y') return {Wish::Kind::cancel, cancel_task_};
      say("not cancelled");
      return {};
    case Mode::table: return press_in_table(key);
  }
  return {};
}

void TopState::move(std::ptrdiff_t rows) {
  if (order_.empty()) return;
  const auto last = static_cast<std::ptrdiff_t>(order_.size()) - 1;
  const auto found = chosen_ ? std::find(order_.begin(), order_.end(), *chosen_) : order_.end();
  const std::ptrdiff_t at = found == order_.end() ? 0 : found - order_.begin();
  const std::ptrdiff_t to = std::clamp<std::ptrdiff_t>(at + rows, 0, last);
  chosen_ = order_[static_cast<std::size_t>(to)];
  chosen_by_hand_ = to > 0;
}

Wish TopState::press_in_table(int key) {
  const auto page = static_cast<std::ptrdiff_t>(table_rows_);
  const auto all = static_cast<std::ptrdiff_t>(order_.size());
  switch (key) {
    case 'q': return {Wish::Kind::quit};
    case Key::up:
    case 'k': move(-1); return {};
    case Key::down:
    case 'j': move(1); return {};
    case Key::page_up: move(-page); return {};
    case Key::page_down: move(page); return {};
    case Key::home:
    case 'g': move(-all); return {};
    case Key::end:
    case 'G': move(all); return {};
    case 's':
      sort_ = static_cast<SortBy>((static_cast<std::size_t>(sort_) + 1) % kSortOrders);
      say("sorted by " + std::string(name_of(sort_)));
      return {};
    case 'r': reversed_ = !reversed_; return {};
    case 'w': show_workers_ = !show_workers_; return {};
    case '/': mode_ = Mode::typing_filter; return {};
    case Key::escape: filter_.clear(); return {};
    case '?':
    case 'h': mode_ = Mode::help; return {};
    case 'R': return {Wish::Kind::refresh};
    case 'c':
    case 'l':
    case 'e':
    case Key::enter: return ask_about_chosen(key);
    default: return {};
  }
}

Wish TopState::ask_about_chosen(int key) {
  const auto found = chosen_ ? tasks_.find(*chosen_) : tasks_.end();
  if (found == tasks_.end()) {
    say("no task is chosen");
    return {};
  }
  if (key == 'c') {
    if (is_terminal(found->second.row.state)) {
      say("it has ended");
    } else {
      mode_ = Mode::confirming_cancel;
      cancel_task_ = *chosen_;  // whatever the table does until the answer
    }
    return {};
  }
  mode_ = Mode::log;
  log_task_ = *chosen_;
  log_stream_ = key == 'e' ? LogStream::err : LogStream::out;
  log_.clear();
  log_line_open_ = false;
  log_back_ = 0;
  return {Wish::Kind::open_log, log_task_, log_stream_};
}

Wish TopState::press_in_filter(int key) {
  if (key == Key::enter) mode_ = Mode::table;
  if (key == Key::escape) {
    filter_.clear();
    mode_ = Mode::table;
  }
  if (key == Key::backspace && !filter_.empty()) filter_.pop_back();
  if (key >= ' ' && key < 0x7f && filter_.size() < kMostFilterBytes) {
    filter_ += static_cast<char>(key);
  }
  return {};
}

Wish TopState::press_in_log(int key) {
  const std::size_t page = std::max<std::size_t>(table_rows_, 1);
  const auto back = [this](std::size_t rows) {
    log_back_ = std::min(log_back_ + rows, log_.size());
  };
  const auto on = [this](std::size_t rows) { log_back_ -= std::min(log_back_, rows); };
  switch (key) {
    case 'q':
    case Key::escape: mode_ = Mode::table; return {Wish::Kind::close_log};
    case Key::up:
    case 'k': back(1); return {};
    case Key::down:
    case 'j': on(1); return {};
    case Key::page_up: back(page); return {};
    case Key::page_down: on(page); return {};
    case Key::home:
    case 'g': back(log_.size()); return {};
    case Key::end:
    case 'G': on(log_.size()); return {};
    case 'e':
      log_stream_ = log_stream_ == LogStream::out ? LogStream::err : LogStream::out;
      log_.clear();
      log_line_open_ = false;
      log_back_ = 0;
      return {Wish::Kind::open_log, log_task_, log_stream_};
    default: return {};
  }
}

}  // namespace taskpipe::cli::top
