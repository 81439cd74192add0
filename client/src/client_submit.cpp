// Client: submitting tasks, batches and workflows.
#include <algorithm>
#include <utility>

#include "client/src/call_errors.hpp"
#include "client/src/client_impl.hpp"
#include "client/src/file_traffic.hpp"
#include "client/src/prepared_batch.hpp"
#include "client/src/task_preparation.hpp"
#include "common/process/clock.hpp"
#include "common/process/random.hpp"

namespace taskpipe {
namespace {

TaskIdPrefix new_prefix() { return process::new_task_id_prefix(process::read_clock().wall); }

// Passes the one answer of a single submit on to its callback.
class SubmitSink final : public client::CallSink {
 public:
  SubmitSink(TaskId id, Client::SubmitCallback done,
             std::shared_ptr<client::CallbackThread> callbacks, std::function<void()> settled)
      : id_(id),
        done_(std::move(done)),
        callbacks_(std::move(callbacks)),
        settled_(std::move(settled)) {}

  void deliver(client::CallId, client::Delivery&& what, bool last) noexcept override {
    if (!last) return;
    CallResult<TaskId> result = id_;
    if (auto* refused = std::get_if<client::delivery::TaskRefused>(&what)) {
      result = tl::unexpected(std::move(refused->error));
    } else if (auto* failed = std::get_if<client::delivery::Failed>(&what)) {
      result = tl::unexpected(std::move(failed->error));
    }
    settled_();
    callbacks_->post([done = std::move(done_), result = std::move(result)]() mutable {
      if (done) done(std::move(result));
    });
  }

 private:
  TaskId id_;
  Client::SubmitCallback done_;
  std::shared_ptr<client::CallbackThread> callbacks_;
  std::function<void()> settled_;
};

// Params and scripts of one workflow are bounded as a whole.
std::optional<Error> check_size(const client::command::UploadWorkflow& upload) {
  std::size_t bytes = 0;
  const client::PreparedSpec* last = nullptr;
  for (const auto& task : upload.tasks) {
    bytes += task.params.size();
    if (task.spec.get() != last) bytes += task.spec->spec->inline_script.size();
    last = task.spec.get();
  }
  if (bytes <= limits::kMaxWorkflowBytes) return std::nullopt;
  return Error{ErrorCode::too_big, "params and scripts of the workflow exceed 32 MiB; split it",
               "tasks"};
}

}  // namespace

CallResult<TaskId> Client::submit(const TaskRequest& task, const CallOptions& options) {
  auto ids = submit_batch(std::span(&task, 1), options);
  if (ids) return ids->front();
  return tl::unexpected(client::without_place(ids.error().first()));
}

tl::expected<std::vector<TaskId>, BatchError> Client::submit_batch(
    std::span<const TaskRequest> tasks, const CallOptions& options) {
  if (tasks.empty()) return std::vector<TaskId>{};
  const client::InputUploads uploads(*impl_, client::addresses_of(tasks), options);
  client::PreparedBatch batch = client::prepare_batch(uploads, tasks);
  BatchError failed;
  failed.items = std::move(batch.refused);
  if (!batch.tasks.empty()) {
    auto done = impl_->run(
        client::command::SubmitTasks{std::move(batch.tasks)}, impl_->request_timeout(options),
        options, [&](client::CallId, client::Delivery&& what) {
          auto* refused = std::get_if<client::delivery::TaskRefused>(&what);
          if (refused != nullptr) {
            failed.items.push_back({batch.index_of[refused->index], std::move(refused->error)});
          }
          return true;
        });
    if (!done) {
      for (const std::size_t i : batch.index_of) failed.items.push_back({i, done.error()});
    }
  }
  if (failed.items.empty()) return std::move(batch.ids);
  std::sort(failed.items.begin(), failed.items.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  failed.ids = std::move(batch.ids);
  return tl::unexpected(std::move(failed));
}

CallResult<TaskId> Client::submit_async(const TaskRequest& task, SubmitCallback done,
                                        const CallOptions& options) {
  client::TaskPreparation preparation;
  const client::InputUploads uploads(*impl_, {&task}, options);
  const auto resolved = client::with_inputs(uploads, task);
  if (!resolved) return tl::unexpected(resolved.error());
  auto prepared = preparation.prepare(**resolved, new_prefix().id(0));
  if (!prepared) return tl::unexpected(client::refused(std::move(prepared.error())));
  prepared->id_told = true;
  const TaskId id = prepared->id;
  const Millis timeout = impl_->request_timeout(options);
  auto callbacks = impl_->callbacks();
  if (!callbacks) return tl::unexpected(client::closed("it was closed before the call"));
  const std::size_t limit = impl_->options().max_unacknowledged;
  if (auto why = impl_->open_submits().acquire(limit, timeout, options)) {
    return tl::unexpected(*std::move(why));
  }
  client::command::SubmitTasks submit;
  submit.tasks.push_back(std::move(*prepared));
  auto settled = [impl = std::weak_ptr<Impl>(impl_)] {
    if (auto alive = impl.lock()) alive->open_submits().release();
  };
  auto sink = std::make_shared<SubmitSink>(id, std::move(done), std::move(callbacks), settled);
  auto begun = impl_->begin(client::CallStart{impl_->new_call(), std::move(submit), timeout},
                            std::move(sink));
  if (!begun) {
    settled();
    return tl::unexpected(std::move(begun.error()));
  }
  return id;
}

CallResult<WorkflowReceipt> Client::submit_workflow(const WorkflowRequest& workflow,
                                                    const CallOptions& options) {
  client::command::UploadWorkflow upload;
  for (const auto& task : workflow.tasks) {
    upload.dependencies.push_back(Dependencies{task.after});
  }
  if (auto error = check_dependencies(upload.dependencies)) {
    return tl::unexpected(client::refused(std::move(*error)));
  }
  if (workflow.name.size() > limits::kMaxNameBytes) {
    return tl::unexpected(
        client::refused(Error{ErrorCode::invalid, "name is longer than 128 bytes", "name"}));
  }
  const TaskIdPrefix prefix = new_prefix();
  const TaskId base = new_prefix().id(0);  // of another prefix: no task has the workflow's id
  upload.id = WorkflowId(base.high(), base.low());
  upload.name = workflow.name;
  upload.on_failure = workflow.on_failure;
  WorkflowReceipt receipt{upload.id, {}};
  client::TaskPreparation preparation;
  std::vector<const TaskRequest*> requests;
  for (const auto& task : workflow.tasks) requests.push_back(&task.task);
  const client::InputUploads uploads(*impl_, requests, options);
  for (std::size_t i = 0; i < workflow.tasks.size(); ++i) {
    const auto resolved = client::with_inputs(uploads, workflow.tasks[i].task);
    if (!resolved) return tl::unexpected(resolved.error());
    auto task = preparation.prepare(**resolved, prefix.id(static_cast<std::uint32_t>(i)));
    if (!task) {
      task.error().field = "tasks[" + std::to_string(i) + "]." + task.error().field;
      task.error().text = "task " + std::to_string(i) + ": " + task.error().text;
      return tl::unexpected(client::refused(std::move(task.error())));
    }
    receipt.tasks.push_back(task->id);
    upload.tasks.push_back(std::move(*task));
  }
  if (auto error = check_size(upload)) {
    return tl::unexpected(client::refused(std::move(*error)));
  }
  auto done = impl_->run(std::move(upload), impl_->request_timeout(options), options,
                         [](client::CallId, client::Delivery&&) { return true; });
  if (!done) return tl::unexpected(std::move(done.error()));
  return receipt;
}

}  // namespace taskpipe
