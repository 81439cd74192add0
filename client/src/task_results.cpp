#include "client/src/task_results.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
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

std::vector<TaskResult> in_order_of(std::span<const TaskId> ids,
                                    std::vector<TaskResult>&& results) {
  std::unordered_map<TaskId, std::size_t> place;
  place.reserve(results.size());
  for (std::size_t i = 0; i < results.size(); ++i) place.emplace(results[i].id, i);
  const bool repeated = ids.size() != results.size();
  std::vector<TaskResult> ordered;
  ordered.reserve(ids.size());
  for (const TaskId& id : ids) {
    const auto found = place.find(id);
    assert(found != place.end());
    TaskResult& result = results[found->second];
    ordered.push_back(repeated ? result : std::move(result));
  }
  return ordered;
}

}  // namespace taskpipe::client
