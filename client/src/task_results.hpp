// From what the broker reports of an ended task to what a caller gets.
#pragma once

#include <cstddef>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/model/messages.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::client {

// Decodes the report; one that cannot be read is left empty, and the outcome's reason says so.
[[nodiscard]] TaskResult result_of(DoneTask&& task);

// Without repetitions, in the order of first mention.
[[nodiscard]] std::vector<TaskId> distinct(std::span<const TaskId> ids);

// Where each of some ids stands among them. `ids` must outlive it.
class PlacesOfIds {
 public:
  explicit PlacesOfIds(std::span<const TaskId> ids) : ids_(ids) {}
  // Of one of the ids; of one that stands there several times, any.
  [[nodiscard]] std::size_t of(const TaskId& id);

 private:
  std::span<const TaskId> ids_;
  std::unordered_map<TaskId, std::size_t> places_;  // made when it is needed
};

// Puts results, which come in the order of the ends, into the order of `ids`, which must outlive
// it.
class ResultsInOrder {
 public:
  explicit ResultsInOrder(std::span<const TaskId> ids)
      : ids_(ids), results_(ids.size()), places_(ids) {}

  // Of one of the ids; each is put once.
  void put(TaskResult&& result);
  // Repeated ids get copies. Every id must have a result.
  [[nodiscard]] std::vector<TaskResult> take();

 private:
  std::span<const TaskId> ids_;
  std::vector<TaskResult> results_;
  std::size_t put_ = 0;
  PlacesOfIds places_;
};

}  // namespace taskpipe::client
