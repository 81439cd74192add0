#include "client/src/task_monitor.hpp"

#include <algorithm>
#include <utility>

#include "client/src/call_errors.hpp"
#include "client/src/event_stream.hpp"
#include "client/src/task_results.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::client {

TaskMonitor::TaskMonitor(Client::Impl& impl, std::vector<TaskId> ids,
                         const Client::MonitorCallback& on_event)
    : impl_(impl),
      ids_(std::move(ids)),
      on_event_(on_event),
      inbox_(std::make_shared<Inbox>()),
      follower_(ids_),
      by_task_(impl_.take_task_topics(ids_.size())) {}

TaskMonitor::~TaskMonitor() {
  if (wait_) impl_.forget(*wait_);
  if (events_) impl_.forget(*events_);
  for (const CallId request : row_requests_) impl_.forget(request);
  if (by_task_) impl_.return_task_topics(ids_.size());
}

CallResult<std::vector<TaskResult>> TaskMonitor::run(const CallOptions& options) {
  // The wait first: it decides whether there is a broker at all, and on its time limit.
  const CallId wait = impl_.new_call();
  auto begun = impl_.begin(CallStart{wait, command::AwaitTasks{ids_}, options.timeout}, inbox_);
  if (!begun) return tl::unexpected(std::move(begun.error()));
  wait_ = wait;
  if (by_task_) {
    std::vector<std::string> topics;
    for (const TaskId& id : ids_) topics.push_back("id." + id.to_string() + ".");
    follow_topics(std::move(topics));
  }
  ask_for(ids_);

  std::vector<Inbox::Item> items;
  CallOptions until = options;
  while (wait_ || !follower_.all_told()) {
    if (!inbox_->take(items, until.stop, until.keep_waiting)) {
      impl_.abort(wait, stopped());
      until = {};
      continue;
    }
    for (auto& item : items) {
      if (auto error = handle(std::move(item))) return tl::unexpected(std::move(*error));
    }
    if (inbox_->lost_events()) out_of_date_ = true;
    resync();
    if (!on_event_) continue;
    for (const auto& event : follower_.take()) on_event_(event);
  }
  return std::move(results_);
}

void TaskMonitor::ask_for(const std::vector<TaskId>& ids) {
  for (std::size_t at = 0; at < ids.size(); at += limits::kMaxBatchItems) {
    const std::size_t count = std::min(limits::kMaxBatchItems, ids.size() - at);
    Query query;
    query.filter.tasks.assign(ids.begin() + static_cast<std::ptrdiff_t>(at),
                              ids.begin() + static_cast<std::ptrdiff_t>(at + count));
    query.limit = static_cast<std::uint32_t>(count);
    const CallId request = impl_.new_call();
    const Millis timeout = impl_.options().request_timeout;
    if (impl_.begin(CallStart{request, command::Ask{std::move(query)}, timeout}, inbox_)) {
      row_requests_.insert(request);
    }
  }
}

void TaskMonitor::follow_topics(std::vector<std::string> topics) {
  const CallId call = impl_.new_call();
  if (impl_.subscribe(call, std::move(topics), inbox_)) events_ = call;
}

void TaskMonitor::follow_tools() {
  std::vector<std::string> topics{std::string(EventStream::kHeartbeatTopic)};
  for (const auto& tool : follower_.tools()) {
    for (const char* prefix : {"task.", "progress."}) {
      std::string topic = prefix + tool + ".";
      if (topic.size() <= limits::kMaxTopicBytes) topics.push_back(std::move(topic));
    }
  }
  heartbeats_awaited_ = 2;
  follow_topics(std::move(topics));
}

std::optional<ClientError> TaskMonitor::handle(Inbox::Item&& item) {
  if (wait_ && item.call == *wait_) {
    if (item.last) wait_.reset();
    if (auto* failed = std::get_if<delivery::Failed>(&item.what)) return std::move(failed->error);
    if (auto* ended = std::get_if<delivery::TasksEnded>(&item.what)) {
      for (auto& task : ended->tasks) {
        follower_.on_ended(task);
        results_.push_back(result_of(std::move(task)));
      }
    }
  } else if (const auto* events = std::get_if<delivery::EventsArrived>(&item.what)) {
    on_events(*events->batch);
  } else if (row_requests_.count(item.call) > 0) {
    on_row_answer(std::move(item));
  }
  return std::nullopt;
}

void TaskMonitor::on_row_answer(Inbox::Item&& item) {
  // A request that failed leaves gaps in the descriptions and nothing else: ends come by DONE.
  if (const auto* answered = std::get_if<delivery::Answered>(&item.what)) {
    for (const auto& row : std::get<Rows>(answered->reply).rows) follower_.on_row(row);
  }
  row_requests_.erase(item.call);
  if (!row_requests_.empty() || rows_known_) return;
  rows_known_ = true;
  follower_.on_rows_complete();
  if (!by_task_ && wait_) follow_tools();
}

void TaskMonitor::on_events(const EventBatch& batch) {
  for (const auto& event : batch.events.tasks) follower_.on_event(event);
  if (batch.gap) out_of_date_ = true;
  if (batch.topic == EventStream::kHeartbeatTopic && heartbeats_awaited_ > 0) {
    if (--heartbeats_awaited_ == 0) out_of_date_ = true;
  }
}

void TaskMonitor::resync() {
  if (!out_of_date_ || !row_requests_.empty() || !rows_known_) return;
  out_of_date_ = false;
  if (wait_) ask_for(follower_.live());
}

}  // namespace taskpipe::client
