// Submitting, waiting and watching.
#include <unistd.h>

#include <span>

#include "client/python/native/calls.hpp"
#include "client/python/native/errors.hpp"
#include "client/python/native/records.hpp"
#include "client/python/native/requests.hpp"
#include "client/python/native/shared_callable.hpp"

namespace taskpipe::python {
namespace nb = nanobind;
namespace {

std::vector<TaskRequest> copies_of(const Requests& requests) {
  std::vector<TaskRequest> copies;
  copies.reserve(requests.size());
  for (const TaskRequest* request : requests) copies.push_back(*request);
  return copies;
}

Texts to_texts(const std::vector<TaskId>& ids) {
  Texts texts;
  texts.reserve(ids.size());
  for (const TaskId& id : ids) texts.push_back(id.to_string());
  return texts;
}

CallOptions only(TimeoutMs timeout) {
  CallOptions options;
  if (timeout) options.timeout = Millis(*timeout);
  return options;
}

// A Python callback that forks comes back in the child as well, where nothing arrives any more.
void refuse_in_child(pid_t process) {
  if (process == ::getpid()) return;
  raise(ClientError{CallFailure::closed,
                    Error{ErrorCode::ok, "the call belongs to the process before the fork", ""},
                    {}});
}

}  // namespace

std::string submit(BoundClient& bound, const TaskRequest& request, TimeoutMs timeout) {
  const auto client = bound.client();
  Attention attention(timeout);
  const auto id =
      attention.wait_for([&](const CallOptions& o) { return client->submit(request, o); });
  if (!id) raise(id.error());
  return id->to_string();
}

Texts submit_batch(BoundClient& bound, const Requests& requests, TimeoutMs timeout) {
  const auto client = bound.client();
  Attention attention(timeout);
  const auto ids = attention.wait_for(
      [&](const CallOptions& o) { return client->submit_batch(copies_of(requests), o); });
  if (!ids) raise(ids.error());
  return to_texts(*ids);
}

Texts resubmit(BoundClient& bound, const Texts& ids, TimeoutMs timeout) {
  const auto tasks = to_task_ids(ids);
  const auto client = bound.client();
  Attention attention(timeout);
  const auto fresh = attention.wait_for(
      [&](const CallOptions& o) { return client->resubmit(std::span(tasks), o); });
  if (!fresh) raise(fresh.error());
  return to_texts(*fresh);
}

std::string submit_async(BoundClient& bound, const TaskRequest& request, nb::callable done,
                         TimeoutMs timeout, const Stop* stop) {
  const auto client = bound.client();
  const SharedCallable shared(std::move(done));
  const auto pass_on = [shared](CallResult<TaskId> id) {
    shared.call([&](const nb::object& callable) {
      callable(id ? nb::object(nb::none()) : exception_of(id.error()));
    });
  };
  Attention attention(timeout, stop);
  const auto id = attention.wait_for(
      [&](const CallOptions& o) { return client->submit_async(request, pass_on, o); });
  if (!id) raise(id.error());
  return id->to_string();
}

std::pair<std::string, Texts> submit_workflow(BoundClient& bound, const std::string& name,
                                              bool cancel_dependents, const Requests& requests,
                                              const std::vector<std::vector<std::uint32_t>>& after,
                                              TimeoutMs timeout) {
  WorkflowRequest workflow;
  workflow.name = name;
  workflow.on_failure =
      cancel_dependents ? OnFailure::cancel_dependents : OnFailure::run_dependents;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    workflow.tasks.push_back({*requests[i], after.at(i)});
  }
  const auto client = bound.client();
  Attention attention(timeout);
  const auto receipt = attention.wait_for(
      [&](const CallOptions& o) { return client->submit_workflow(workflow, o); });
  if (!receipt) raise(receipt.error());
  return {receipt->id.to_string(), to_texts(receipt->tasks)};
}

nb::dict run(BoundClient& bound, const TaskRequest& request, TimeoutMs timeout) {
  const auto client = bound.client();
  Attention attention(timeout);
  const auto result =
      attention.wait_for([&](const CallOptions& o) { return client->run(request, o); });
  if (!result) raise(result.error());
  return to_dict(*result);
}

nb::list run_batch(BoundClient& bound, const Requests& requests, TimeoutMs timeout) {
  const auto client = bound.client();
  Attention attention(timeout);
  const auto results = attention.wait_for(
      [&](const CallOptions& o) { return client->run_batch(copies_of(requests), o); });
  nb::list list;
  for (const auto& result : results) {
    list.append(result ? nb::make_tuple(to_dict(*result), nb::none())
                       : nb::make_tuple(nb::none(), exception_of(result.error())));
  }
  return list;
}

nb::list wait_all(BoundClient& bound, const Texts& ids, TimeoutMs timeout) {
  const auto tasks = to_task_ids(ids);
  const auto client = bound.client();
  Attention attention(timeout);
  const auto results =
      attention.wait_for([&](const CallOptions& o) { return client->wait_all(tasks, o); });
  if (!results) raise(results.error());
  return to_list(*results);
}

nb::dict wait_any(BoundClient& bound, const Texts& ids, TimeoutMs timeout) {
  const auto tasks = to_task_ids(ids);
  const auto client = bound.client();
  Attention attention(timeout);
  const auto result =
      attention.wait_for([&](const CallOptions& o) { return client->wait_any(tasks, o); });
  if (!result) raise(result.error());
  return to_dict(*result);
}

nb::dict wait_workflow(BoundClient& bound, const std::string& id, TimeoutMs timeout) {
  const auto workflow = to_workflow_id(id);
  const auto client = bound.client();
  Attention attention(timeout);
  const auto done =
      attention.wait_for([&](const CallOptions& o) { return client->wait_workflow(workflow, o); });
  if (!done) raise(done.error());
  return to_dict(*done);
}

std::uint64_t wait_async(BoundClient& bound, const std::string& id, nb::callable done,
                         TimeoutMs timeout) {
  const auto task = to_task_id(id);
  const auto client = bound.client();
  const SharedCallable shared(std::move(done));
  const auto pass_on = [shared](CallResult<TaskResult> result) {
    shared.call([&](const nb::object& callable) {
      if (result) {
        callable(to_dict(*result), nb::none());
      } else {
        callable(nb::none(), exception_of(result.error()));
      }
    });
  };
  const nb::gil_scoped_release released;
  return client->wait_async(task, pass_on, only(timeout)).value();
}

void forget(BoundClient& bound, std::uint64_t call) {
  const auto client = bound.client();
  const nb::gil_scoped_release released;
  client->forget(AsyncId(call));
}

nb::list monitor(BoundClient& bound, const Texts& ids, nb::callable on_event, TimeoutMs timeout,
                 const Stop* stop) {
  const auto tasks = to_task_ids(ids);
  const auto client = bound.client();
  const pid_t process = ::getpid();
  const auto pass_on = [&](const TaskEvent& event) {
    const nb::gil_scoped_acquire acquired;
    on_event(to_dict(event));
    refuse_in_child(process);
  };
  Attention attention(timeout, stop);
  const auto results =
      attention.wait_for([&](const CallOptions& o) { return client->monitor(tasks, pass_on, o); });
  if (!results) raise(results.error());
  return to_list(*results);
}

std::uint64_t follow(BoundClient& bound, const std::string& stream, const Texts& ids,
                     std::optional<std::uint64_t> since, bool everybody, bool until_present,
                     bool over_router, nb::callable on_changes, TimeoutMs timeout,
                     const Stop* stop) {
  FollowRequest request;
  request.stream = stream;
  request.tasks = to_task_ids(ids);
  request.after_seq = since;
  request.everybody = everybody;
  request.until_present = until_present;
  request.over_router = over_router;
  const auto client = bound.client();
  const pid_t process = ::getpid();
  const auto pass_on = [&](const StreamChanges& changes) {
    const nb::gil_scoped_acquire acquired;
    on_changes(to_dict(changes));
    refuse_in_child(process);
    return true;
  };
  Attention attention(timeout, stop);
  const auto end =
      attention.wait_for([&](const CallOptions& o) { return client->follow(request, pass_on, o); });
  if (!end) raise(end.error());
  return *end;
}

BoundSubscription::BoundSubscription(Subscription subscription)
    : process_(::getpid()),
      subscription_(std::make_unique<Subscription>(std::move(subscription))) {}

void BoundSubscription::close() {
  if (!subscription_) return;
  if (process_ != ::getpid()) {
    static_cast<void>(subscription_.release());  // its locks and threads are the parent's
    return;
  }
  const auto ending = std::move(subscription_);
  const nb::gil_scoped_release released;  // the callback that is running needs the GIL
  *ending = Subscription();
}

std::unique_ptr<BoundSubscription> subscribe(BoundClient& bound, const Texts& topics,
                                             nb::callable on_events, TimeoutMs timeout) {
  const auto client = bound.client();
  const SharedCallable shared(std::move(on_events));
  const auto pass_on = [shared](const EventBatch& batch) {
    shared.call([&](const nb::object& callable) { callable(to_dict(batch)); });
  };
  Attention attention(timeout);
  auto subscription = attention.wait_for(
      [&](const CallOptions& o) { return client->subscribe(topics, pass_on, o); });
  if (!subscription) raise(subscription.error());
  return std::make_unique<BoundSubscription>(std::move(*subscription));
}

}  // namespace taskpipe::python
