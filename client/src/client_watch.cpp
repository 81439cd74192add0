// Client: monitoring tasks and subscribing to the event stream.
#include <algorithm>
#include <utility>

#include "client/src/call_errors.hpp"
#include "client/src/client_impl.hpp"
#include "client/src/event_sink.hpp"
#include "client/src/task_monitor.hpp"
#include "client/src/task_results.hpp"
#include "client/src/watched_events.hpp"

namespace taskpipe {
namespace {

std::optional<Error> check_topics(std::span<const std::string> topics) {
  if (topics.empty()) {
    return Error{ErrorCode::invalid, "topics is empty; name at least one", "topics"};
  }
  for (const auto& topic : topics) {
    if (topic.empty() || topic.back() != '.') {
      return Error{ErrorCode::invalid,
                   "topic '" + topic + "' does not end in '.': it would match others as well",
                   "topics"};
    }
    if (topic.size() > limits::kMaxTopicBytes) {
      return Error{ErrorCode::too_big, "a topic is longer than 200 bytes", "topics"};
    }
  }
  return std::nullopt;
}

}  // namespace

CallResult<std::vector<TaskResult>> Client::monitor(std::span<const TaskId> ids,
                                                    const MonitorCallback& on_event,
                                                    const CallOptions& options) {
  if (ids.empty()) return std::vector<TaskResult>{};
  auto ended = client::TaskMonitor(*impl_, client::distinct(ids), on_event).run(options);
  if (!ended) return ended;
  client::ResultsInOrder results(ids);
  for (TaskResult& result : *ended) results.put(std::move(result));
  return results.take();
}

struct Subscription::State {
  std::weak_ptr<Client::Impl> impl;
  client::CallId call;
  std::shared_ptr<client::EventSink> sink;

  ~State() {
    if (const auto alive = impl.lock()) alive->forget(call);
    sink->end();
  }
};

Subscription::Subscription(std::unique_ptr<State> state) : state_(std::move(state)) {}
Subscription::Subscription() = default;
Subscription::Subscription(Subscription&&) noexcept = default;
Subscription& Subscription::operator=(Subscription&&) noexcept = default;
Subscription::~Subscription() = default;

CallResult<Subscription> Client::subscribe(std::span<const std::string> topics,
                                           EventCallback on_events, const CallOptions& options) {
  if (auto error = check_topics(topics)) return tl::unexpected(client::refused(std::move(*error)));
  CallOptions connecting = options;
  connecting.timeout = impl_->request_timeout(options);
  const auto info = connect(connecting);
  if (!info) return tl::unexpected(info.error());
  if (info->role == Role::client) {
    if (std::none_of(topics.begin(), topics.end(), client::can_be_watched)) {
      return tl::unexpected(client::refused(
          Error{ErrorCode::denied,
                "a key of role client follows its own tasks: topics task., progress., id.<task>. "
                "and workflow.<workflow>.; these are for observers and admins",
                "topics"}));
    }
  } else if (info->events.empty()) {
    return tl::unexpected(client::refused(Error{
        ErrorCode::invalid, "the broker announces no event address; set `events`", "events"}));
  }
  auto callbacks = impl_->callbacks();
  if (!callbacks) return tl::unexpected(client::closed("it was closed during the call"));
  if (!on_events) on_events = [](const EventBatch&) {};
  auto state = std::make_unique<Subscription::State>();
  state->impl = impl_;
  state->call = impl_->new_call();
  state->sink = std::make_shared<client::EventSink>(std::move(on_events), std::move(callbacks));
  auto begun = impl_->subscribe(state->call, {topics.begin(), topics.end()}, state->sink);
  if (!begun) return tl::unexpected(std::move(begun.error()));
  return Subscription(std::move(state));
}

}  // namespace taskpipe
