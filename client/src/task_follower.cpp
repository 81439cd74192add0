#include "client/src/task_follower.hpp"

#include <utility>

namespace taskpipe::client {
namespace {

WallTime time_of(const TaskRow& row) {
  if (row.finished.unix_ms != 0) return row.finished;
  return row.started.unix_ms != 0 ? row.started : row.submitted;
}

TaskEvent event_of(const TaskRow& row) {
  TaskEvent event;
  event.id = row.id;
  event.state = row.state;
  event.failure = row.failure;
  event.attempt = row.attempt;
  event.tool = row.tool;
  event.script = row.script;
  event.worker = row.worker;
  event.percent = row.progress_percent;
  event.message = row.message;
  event.at = time_of(row);
  return event;
}

bool same_but_for_time(TaskEvent a, const TaskEvent& b) {
  a.at = b.at;
  a.seq = b.seq;  // a present state has none
  return a == b;
}

// States only move on within an attempt, but for a requeue, which rows need not tell.
bool is_ahead(const TaskEvent& row, const TaskEvent& last) {
  if (row.attempt != last.attempt) return row.attempt > last.attempt;
  if (row.state != last.state) return row.state > last.state;
  return row.percent > last.percent;
}

}  // namespace

TaskFollower::TaskFollower(std::span<const TaskId> ids) {
  for (const TaskId& id : ids) {
    const auto [track, added] = tracks_.try_emplace(id);
    if (!added) continue;
    track->second.last.id = id;
    order_.push_back(id);
  }
  untold_ends_ = order_.size();
}

void TaskFollower::on_row(const TaskRow& row) {
  const auto found = tracks_.find(row.id);
  if (found == tracks_.end()) return;
  Track& track = found->second;
  tools_.insert(row.tool);
  if (!track.described) {
    track.described = true;
    track.last.tool = row.tool;
    track.last.script = row.script;
  }
  TaskEvent event = event_of(row);
  if (!track.ended && (!track.seen || is_ahead(event, track.last))) tell(track, std::move(event));
  tell_end(track);
}

void TaskFollower::on_rows_complete() {
  for (const TaskId& id : order_) {
    Track& track = tracks_.at(id);
    track.described = true;
    tell_end(track);
  }
}

void TaskFollower::on_event(const TaskEvent& event) {
  const auto found = tracks_.find(event.id);
  if (found == tracks_.end()) return;
  Track& track = found->second;
  track.described = true;
  if (track.seen) {
    if (event.attempt < track.last.attempt) return;
    if (same_but_for_time(track.last, event)) return;
  }
  if (!track.ended) tell(track, event);
  tell_end(track);
}

void TaskFollower::on_ended(const DoneTask& task) {
  const auto found = tracks_.find(task.attempt.task);
  if (found == tracks_.end()) return;
  Track& track = found->second;
  TaskEvent end;
  end.id = task.attempt.task;
  end.state = task.outcome.state;
  end.failure = task.outcome.failure;
  end.attempt = task.attempt.attempt;
  end.worker = task.worker;
  end.message = task.outcome.reason;
  end.at = task.finished;
  track.end = std::move(end);
  tell_end(track);
}

void TaskFollower::tell_end(Track& track) {
  if (!track.end || track.ended || !track.described) return;
  TaskEvent end = std::move(*track.end);
  end.tool = track.last.tool;
  end.script = track.last.script;
  end.percent = end.state == TaskState::success ? 100.0 : track.last.percent;
  tell(track, std::move(end));
}

void TaskFollower::tell(Track& track, TaskEvent event) {
  track.seen = true;
  track.last = event;
  if (is_terminal(event.state)) {
    track.ended = true;
    track.end.reset();
    --untold_ends_;
  }
  out_.push_back(std::move(event));
}

std::vector<TaskEvent> TaskFollower::take() { return std::exchange(out_, {}); }

std::vector<TaskId> TaskFollower::live() const {
  std::vector<TaskId> result;
  for (const TaskId& id : order_) {
    if (!tracks_.at(id).ended) result.push_back(id);
  }
  return result;
}

}  // namespace taskpipe::client
