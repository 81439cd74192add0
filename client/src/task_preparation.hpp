// From what a user asks for to what is sent: checks, encoding, hashes. On the caller's thread.
#pragma once

#include <cstddef>
#include <string>

#include <tl/expected.hpp>

#include "client/src/call.hpp"
#include "common/model/error.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::client {

// Prepares the tasks of one batch, one by one. Consecutive tasks with the same specification share
// one object, so that a sweep over params costs one.
class TaskPreparation {
 public:
  // The first error found, naming the field: INVALID, TOO_BIG. `id` is used unless the request has
  // one. O(bytes of the request).
  [[nodiscard]] tl::expected<PreparedTask, Error> prepare(const TaskRequest& request, TaskId id);

 private:
  [[nodiscard]] tl::expected<PreparedSpecPtr, Error> spec_of(const TaskRequest& request);

  PreparedSpecPtr last_;
  std::vector<Label> last_labels_;  // as given, unsorted
  Resources last_resources_;        // as given, not normalised
};

}  // namespace taskpipe::client
