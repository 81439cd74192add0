// Client: submitting and waiting in one call.
#include <string>
#include <unordered_set>
#include <utility>

#include "client/src/call_errors.hpp"
#include "client/src/client_impl.hpp"
#include "client/src/file_traffic.hpp"
#include "client/src/prepared_batch.hpp"
#include "client/src/task_results.hpp"

namespace taskpipe {
namespace {

// What stands twice could have one answer only.
void refuse_repeated(client::PreparedBatch& batch) {
  if (client::distinct(batch.ids).size() == batch.ids.size()) return;
  std::unordered_set<TaskId> seen;
  client::PreparedBatch once;
  for (std::size_t i = 0; i < batch.tasks.size(); ++i) {
    const std::size_t place = batch.index_of[i];
    if (seen.insert(batch.tasks[i].id).second) {
      once.index_of.push_back(place);
      once.tasks.push_back(std::move(batch.tasks[i]));
    } else {
      batch.refused.push_back(
          {place, client::refused(Error{ErrorCode::invalid,
                                        "task " + batch.ids[place].to_string() +
                                            " stands twice in the batch; leave one of them out",
                                        "tasks[" + std::to_string(place) + "].task_id"})});
    }
  }
  batch.index_of = std::move(once.index_of);
  batch.tasks = std::move(once.tasks);
}

}  // namespace

CallResult<TaskResult> Client::run(const TaskRequest& task, const CallOptions& options) {
  auto results = run_batch(std::span(&task, 1), options);
  if (results.front()) return std::move(*results.front());
  return tl::unexpected(client::without_place(std::move(results.front().error())));
}

std::vector<CallResult<TaskResult>> Client::run_batch(std::span<const TaskRequest> tasks,
                                                      const CallOptions& options) {
  std::vector<CallResult<TaskResult>> results(tasks.size());
  if (tasks.empty()) return results;
  const client::InputUploads uploads(*impl_, client::addresses_of(tasks), options);
  client::PreparedBatch batch = client::prepare_batch(uploads, tasks);
  refuse_repeated(batch);
  for (auto& item : batch.refused) results[item.index] = tl::unexpected(std::move(item.error));
  if (batch.tasks.empty()) return results;

  std::vector<TaskId> sent;
  sent.reserve(batch.tasks.size());
  for (const auto& task : batch.tasks) sent.push_back(task.id);
  client::PlacesOfIds places(sent);
  client::command::RunTasks run{std::move(batch.tasks), impl_->options().request_timeout};
  auto done = impl_->run(
      std::move(run), options.timeout, options, [&](client::CallId, client::Delivery&& what) {
        if (auto* refused = std::get_if<client::delivery::TaskRefused>(&what)) {
          results[batch.index_of[refused->index]] = tl::unexpected(std::move(refused->error));
        } else if (auto* ended = std::get_if<client::delivery::TasksEnded>(&what)) {
          for (DoneTask& task : ended->tasks) {
            const std::size_t place = batch.index_of[places.of(task.attempt.task)];
            results[place] = client::result_of(std::move(task));
          }
        }
        return true;
      });
  if (done) return results;
  // It has not begun: nothing was sent.
  for (const std::size_t place : batch.index_of) results[place] = tl::unexpected(done.error());
  return results;
}

}  // namespace taskpipe
