#include "client/src/task_results.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "common/protocol/value_codec.hpp"

namespace taskpipe::client {

TaskResult result_of(DoneTask&& task) {
  TaskResult result;
  result.id = task.attempt.task;
  result.outcome = std::move(task.outcome);
  result.epoch = task.attempt.epoch;
  result.attempt = task.attempt.attempt;
  result.worker = std::move(task.worker);
  result.submitted = task.submitted;
  result.started = task.started;
  result.finished = task.finished;
  if (result.outcome.report.empty()) return result;
  auto report = protocol::decode_report(result.outcome.report.bytes());
  if (report) {
    result.report = std::move(*report);
  } else {
    if (!result.outcome.reason.empty()) result.outcome.reason += "; ";
    result.outcome.reason += "its report cannot be read: " + report.error().text;
  }
  return result;
}

std::vector<TaskId> distinct(std::span<const TaskId> ids) {
  std::vector<TaskId> result;
  // Ids of a batch rise, and then none is there twice.
  if (std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end()) {
    result.assign(ids.begin(), ids.end());
    return result;
  }
  std::unordered_set<TaskId> seen;
  for (const TaskId& id : ids) {
    if (seen.insert(id).second) result.push_back(id);
  }
  return result;
}

void ResultsInOrder::put(TaskResult&& result) {
  results_[places_.of(result.id)] = std::move(result);
  ++put_;
}

std::vector<TaskResult> ResultsInOrder::take() {
  if (put_ < ids_.size()) {
    std::unordered_map<TaskId, std::size_t> there;
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      if (results_[i].id == ids_[i]) there.emplace(ids_[i], i);
    }
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      if (results_[i].id != ids_[i]) results_[i] = results_[there.at(ids_[i])];
    }
  }
  return std::move(results_);
}

std::size_t PlacesOfIds::of(const TaskId& id) {
  // Those of a batch are numbered.
  const std::uint64_t guess = id.low() - ids_.front().low();
  if (guess < ids_.size() && ids_[guess] == id && places_.empty()) return guess;
  if (places_.empty()) {
    places_.reserve(ids_.size());
    for (std::size_t i = 0; i < ids_.size(); ++i) places_.emplace(ids_[i], i);
  }
  const auto found = places_.find(id);
  assert(found != places_.end());
  return found->second;
}

}  // namespace taskpipe::client
