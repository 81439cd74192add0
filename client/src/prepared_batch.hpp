// A batch of requests, made ready to be sent as far as each of them can be.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "client/src/call.hpp"
#include "client/src/file_traffic.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::client {

// The request itself, or a copy whose files have become inputs.
class ResolvedRequest {
 public:
  explicit ResolvedRequest(const TaskRequest* as_it_is) : plain_(as_it_is) {}
  explicit ResolvedRequest(TaskRequest with_inputs) : own_(std::move(with_inputs)) {}
  const TaskRequest& operator*() const { return plain_ != nullptr ? *plain_ : own_; }

 private:
  const TaskRequest* plain_ = nullptr;
  TaskRequest own_;
};
[[nodiscard]] CallResult<ResolvedRequest> with_inputs(const InputUploads& uploads,
                                                      const TaskRequest& request);

struct PreparedBatch {
  std::vector<TaskId> ids;                // of every request
  std::vector<PreparedTask> tasks;        // what can be sent
  std::vector<std::size_t> index_of;      // of these: their place among the requests
  std::vector<BatchError::Item> refused;  // the others, and why
};
// Fields in errors begin with "tasks[<place>].".
[[nodiscard]] PreparedBatch prepare_batch(const InputUploads& uploads,
                                          std::span<const TaskRequest> requests);
// Of a single task its place says nothing.
[[nodiscard]] ClientError without_place(ClientError error);

[[nodiscard]] std::vector<const TaskRequest*> addresses_of(std::span<const TaskRequest> requests);

}  // namespace taskpipe::client
