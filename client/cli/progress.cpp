#include "client/cli/progress.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "client/cli/display_text.hpp"
#include "client/cli/documents.hpp"
#include "client/cli/quantities.hpp"

namespace taskpipe::cli {
namespace {

constexpr Millis kLeastRunForEstimate{1000};
constexpr double kLeastPercentForEstimate = 1.0;

void number_equal_labels(std::vector<std::string>& labels) {
  std::unordered_map<std::string, std::size_t> count;
  for (const std::string& label : labels) ++count[label];
  std::unordered_map<std::string, std::size_t> seen;
  for (std::string& label : labels) {
    if (count[label] < 2) continue;
    label += " [" + std::to_string(++seen[label]) + "]";
  }
}

}  // namespace

std::optional<Millis> TrackedTask::elapsed(Millis now) const {
  if (run_time) return run_time;
  if (!started || ended()) return std::nullopt;
  return std::max(now - *started, Millis::zero());
}

std::optional<Millis> TrackedTask::remaining(Millis now) const {
  const auto run = elapsed(now);
  if (ended() || !run || *run < kLeastRunForEstimate || percent < kLeastPercentForEstimate) {
    return std::nullopt;
  }
  const double left = (100.0 - std::min(percent, 100.0)) / percent;
  return Millis(static_cast<Millis::rep>(static_cast<double>(run->count()) * left));
}

Progress::Progress(std::span<const TaskId> ids, std::vector<std::string> labels) {
  assert(ids.size() == labels.size());
  for (std::string& label : labels) label = printable(label);
  number_equal_labels(labels);
  tasks_.resize(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    tasks_[i].id = ids[i];
    tasks_[i].label = std::move(labels[i]);
    index_.emplace(ids[i], i);
  }
}

void Progress::seed(const TaskRow& row, WallTime wall, Millis now) {
  const auto found = index_.find(row.id);
  if (found == index_.end()) return;
  TrackedTask& task = tasks_[found->second];
  task.state = row.state;
  task.failure = row.failure;
  task.attempt = row.attempt;
  task.percent = row.progress_percent;
  task.message = printable(row.message);
  task.worker = printable(row.worker);
  if (row.started.unix_ms == 0) return;
  if (task.ended()) {
    task.run_time = between(row.started, row.finished);
  } else if (task.state == TaskState::running) {
    // The broker's clock and ours may differ: a start in the future is taken for now.
    task.started = now - between(row.started, wall);
  }
}

std::optional<std::size_t> Progress::apply(const TaskEvent& event, Millis now) {
  const auto found = index_.find(event.id);
  if (found == index_.end()) return std::nullopt;
  TrackedTask& task = tasks_[found->second];
  if (task.ended() || event.attempt < task.attempt) return std::nullopt;
  const TrackedTask before = task;
  if (event.attempt != task.attempt || event.state == TaskState::pending) {
    task.percent = -1.0;
    task.message.clear();
    task.started.reset();
  }
  task.attempt = event.attempt;
  task.state = event.state;
  task.failure = event.failure;
  if (event.percent >= 0) task.percent = event.percent;
  if (!event.message.empty()) {
    task.message = printable(event.message);
  } else if (task.ended()) {
    task.message.clear();  // the last step it was at says nothing about its end
  }
  task.worker = event.state == TaskState::pending ? "" : printable(event.worker);
  if (task.state == TaskState::running && !task.started) task.started = now;
  if (task.ended() && task.started) task.run_time = std::max(now - *task.started, Millis::zero());
  const bool changed = task.state != before.state || task.attempt != before.attempt ||
                       task.percent != before.percent || task.message != before.message ||
                       task.worker != before.worker;
  return changed ? std::optional(found->second) : std::nullopt;
}

void Progress::apply(const TaskResult& result) {
  const auto found = index_.find(result.id);
  if (found == index_.end()) return;
  TrackedTask& task = tasks_[found->second];
  task.state = result.outcome.state;
  task.failure = result.outcome.failure;
  task.message = printable(reason_of(result));
  task.worker = printable(result.worker);
  task.run_time.reset();
  if (result.attempt.value() > 0) {
    task.run_time = std::chrono::duration_cast<Millis>(run_time_of(result));
  }
}

bool Progress::all_ended() const {
  return std::all_of(tasks_.begin(), tasks_.end(),
                     [](const TrackedTask& task) { return task.ended(); });
}

}  // namespace taskpipe::cli
