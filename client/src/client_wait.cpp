// Client: waiting for ends.
#include <algorithm>
#include <utility>

#include "client/src/call_errors.hpp"
#include "client/src/client_impl.hpp"
#include "client/src/task_results.hpp"

namespace taskpipe {
namespace {

// Hands the one end that an asynchronous wait is about to its callback.
class WaitSink final : public client::CallSink {
 public:
  // `done` is told unless the call was forgotten; `may_start` says so, once.
  WaitSink(Client::WaitCallback done, std::function<bool()> may_start,
           std::shared_ptr<client::CallbackThread> callbacks)
      : job_{std::move(done), std::move(may_start)}, callbacks_(std::move(callbacks)) {}
  // The callback may own whatever it likes, the client included: it ends on its own thread.
  ~WaitSink() override {
    if (job_.done) callbacks_->post([job = std::move(job_)] {});
  }

  void deliver(client::CallId, client::Delivery&& what, bool) noexcept override {
    callbacks_->post([job = std::exchange(job_, Job{}), what = std::move(what)]() mutable {
      if (!job.may_start()) return;
      if (auto* ended = std::get_if<client::delivery::TasksEnded>(&what)) {
        job.done(client::result_of(std::move(ended->tasks.front())));
      } else if (auto* failed = std::get_if<client::delivery::Failed>(&what)) {
        job.done(tl::unexpected(std::move(failed->error)));
      }
    });
  }

 private:
  struct Job {
    Client::WaitCallback done;
    std::function<bool()> may_start;
  };
  Job job_;
  std::shared_ptr<client::CallbackThread> callbacks_;
};

// Those that have ended by now. A wait of no time asks this: its WAIT would be given up before the
// broker could answer.
CallResult<std::vector<TaskId>> ended_of(Client& client, std::span<const TaskId> ids,
                                         const CallOptions& options) {
  CallOptions asking = options;
  asking.timeout.reset();
  auto found = client.status(ids, asking);
  if (!found) return tl::unexpected(std::move(found.error()));
  if (!found->unknown.empty()) {
    return tl::unexpected(
        client::refused(ErrorCode::unknown_task, "task " + found->unknown.front().to_string()));
  }
  std::vector<TaskId> ended;
  for (const TaskRow& row : found->rows) {
    if (is_terminal(row.state)) ended.push_back(row.id);
  }
  return ended;
}

bool asks_only(const CallOptions& options) { return options.timeout == Millis(0); }

}  // namespace

CallResult<TaskResult> Client::wait(const TaskId& id, const CallOptions& options) {
  auto results = wait_all(std::span(&id, 1), options);
  if (!results) return tl::unexpected(std::move(results.error()));
  return std::move(results->front());
}

CallResult<std::vector<TaskResult>> Client::wait_all(std::span<const TaskId> ids,
                                                     const CallOptions& options) {
  if (ids.empty()) return std::vector<TaskResult>{};
  if (asks_only(options)) {
    const auto ended = ended_of(*this, ids, options);
    if (!ended) return tl::unexpected(ended.error());
    if (ended->size() < client::distinct(ids).size()) {
      return tl::unexpected(client::timed_out("the wait", Millis(0)));
    }
    CallOptions fetching = options;
    fetching.timeout = std::max(impl_->options().request_timeout, Millis(1));
    return wait_all(ids, fetching);
  }
  client::ResultsInOrder results(ids);
  auto done = impl_->run(client::command::AwaitTasks{client::distinct(ids)}, options.timeout,
                         options, [&](client::CallId, client::Delivery&& what) {
                           auto* ended = std::get_if<client::delivery::TasksEnded>(&what);
                           if (ended == nullptr) return true;
                           for (auto& task : ended->tasks) {
                             results.put(client::result_of(std::move(task)));
                           }
                           return true;
                         });
  if (!done) return tl::unexpected(std::move(done.error()));
  return results.take();
}

CallResult<TaskResult> Client::wait_any(std::span<const TaskId> ids, const CallOptions& options) {
  if (ids.empty()) {
    return tl::unexpected(client::refused(
        Error{ErrorCode::invalid, "ids is empty; there is nothing to wait for", "ids"}));
  }
  if (asks_only(options)) {
    const auto ended = ended_of(*this, ids, options);
    if (!ended) return tl::unexpected(ended.error());
    if (ended->empty()) return tl::unexpected(client::timed_out("the wait", Millis(0)));
    return wait(ended->front(), options);
  }
  TaskResult first;
  auto done = impl_->run(client::command::AwaitTasks{client::distinct(ids)}, options.timeout,
                         options, [&first](client::CallId, client::Delivery&& what) {
                           auto& ended = std::get<client::delivery::TasksEnded>(what);
                           first = client::result_of(std::move(ended.tasks.front()));
                           return false;
                         });
  if (!done) return tl::unexpected(std::move(done.error()));
  return first;
}

CallResult<DoneWorkflow> Client::wait_workflow(const WorkflowId& id, const CallOptions& options) {
  DoneWorkflow result;
  auto done = impl_->run(client::command::AwaitWorkflow{id}, options.timeout, options,
                         [&](client::CallId, client::Delivery&& what) {
                           auto* ended = std::get_if<client::delivery::WorkflowEnded>(&what);
                           if (ended != nullptr) result = ended->workflow;
                           return true;
                         });
  if (!done) return tl::unexpected(std::move(done.error()));
  return result;
}

AsyncId Client::wait_async(const TaskId& id, WaitCallback done, const CallOptions& options) {
  const client::CallId call = impl_->new_call();
  const AsyncId async{call.value()};
  auto callbacks = impl_->callbacks();
  if (!callbacks) {
    if (done) done(tl::unexpected(client::closed("it was closed before the call")));
    return async;
  }
  if (!done) done = [](const CallResult<TaskResult>&) {};
  impl_->enlist(call);
  auto may_start = [impl = std::weak_ptr<Impl>(impl_), call] {
    const auto alive = impl.lock();
    return alive && alive->retire(call);
  };
  auto sink = std::make_shared<WaitSink>(std::move(done), may_start, std::move(callbacks));
  auto begun = impl_->begin(
      client::CallStart{call, client::command::AwaitTasks{{id}}, options.timeout}, sink);
  if (!begun) sink->deliver(call, client::delivery::Failed{std::move(begun.error())}, true);
  return async;
}

void Client::forget(AsyncId call) {
  const client::CallId id{call.value()};
  if (impl_->retire(id)) impl_->forget(id);
}

}  // namespace taskpipe
