#include "client/src/prepared_batch.hpp"

#include <cstdint>
#include <string>
#include <string_view>

#include "client/src/call_errors.hpp"
#include "client/src/task_preparation.hpp"
#include "common/process/clock.hpp"
#include "common/process/random.hpp"

namespace taskpipe::client {

CallResult<ResolvedRequest> with_inputs(const InputUploads& uploads, const TaskRequest& request) {
  if (request.input_files.empty()) return ResolvedRequest(&request);
  auto resolved = uploads.resolve(request);
  if (!resolved) return tl::unexpected(std::move(resolved.error()));
  return ResolvedRequest(std::move(*resolved));
}

PreparedBatch prepare_batch(const InputUploads& uploads, std::span<const TaskRequest> requests) {
  PreparedBatch batch;
  batch.ids.reserve(requests.size());
  batch.tasks.reserve(requests.size());
  const TaskIdPrefix prefix = process::new_task_id_prefix(process::read_clock().wall);
  TaskPreparation preparation;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const TaskId id = requests[i].id.value_or(prefix.id(static_cast<std::uint32_t>(i)));
    batch.ids.push_back(id);
    const auto resolved = with_inputs(uploads, requests[i]);
    if (!resolved) {
      batch.refused.push_back({i, resolved.error()});
      continue;
    }
    auto prepared = preparation.prepare(**resolved, id);
    if (prepared) {
      batch.index_of.push_back(i);
      batch.tasks.push_back(std::move(*prepared));
    } else {
      Error error = std::move(prepared.error());
      error.field = "tasks[" + std::to_string(i) + "]." + error.field;
      batch.refused.push_back({i, client::refused(std::move(error))});
    }
  }
  return batch;
}

ClientError without_place(ClientError error) {
  constexpr std::string_view kFirst = "tasks[0].";
  if (error.error.field.starts_with(kFirst)) error.error.field.erase(0, kFirst.size());
  return error;
}

std::vector<const TaskRequest*> addresses_of(std::span<const TaskRequest> requests) {
  std::vector<const TaskRequest*> result;
  result.reserve(requests.size());
  for (const TaskRequest& request : requests) result.push_back(&request);
  return result;
}

}  // namespace taskpipe::client
