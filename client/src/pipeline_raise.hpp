// From expected failures of Client to the exceptions of TaskPipeline, and back from ids in text.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "taskpipe/client.hpp"
#include "taskpipe/pipeline_errors.hpp"

namespace taskpipe::client {

// Throws the exception that says the same. `task_id`: the task concerned, if there is one.
[[noreturn]] void raise(const ClientError& error, const std::string& task_id = {});

// Throws for a batch that was not accepted as a whole. `first_index` is added to every index.
[[noreturn]] void raise(const BatchError& error, std::size_t first_index,
                        std::vector<std::string> accepted_before);

template <class T>
[[nodiscard]] T value_or_raise(CallResult<T>&& result, const std::string& task_id = {}) {
  if (!result) raise(result.error(), task_id);
  return std::move(*result);
}

// InvalidArgumentError about `field` for text that is no id.
[[nodiscard]] TaskId task_id_of(const std::string& text, const std::string& field = "task_id");
// Each once, in order; errors are about "task_ids[0]" and so on.
[[nodiscard]] std::vector<TaskId> task_ids_of(const std::vector<std::string>& texts);

// "5", "0.25".
[[nodiscard]] std::string seconds_text(Millis duration);

// InvalidArgumentError unless the silence between two callbacks is positive and within bounds.
void check_poll_interval(Millis poll_interval);

}  // namespace taskpipe::client
