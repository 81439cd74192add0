#include "broker/core/event_streams.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::broker {
namespace {

constexpr std::string_view kTaskTopicPrefix = "id.";
constexpr std::string_view kHeartbeatTopic = "heartbeat.";
constexpr std::string_view kWorkflowFamily = "workflow.";

// Changes with the seq of tasks[at] that lie before it.
std::uint32_t offset_of(const std::vector<TaskEvent>& tasks, std::size_t at) {
  std::size_t first = at;
  while (first > 0 && at < tasks.size() && tasks[first - 1].seq == tasks[at].seq) --first;
  return static_cast<std::uint32_t>(at - first);
}

std::optional<TaskId> parse_task_topic(std::string_view topic) {
  if (!topic.starts_with(kTaskTopicPrefix) || !topic.ends_with('.')) return std::nullopt;
  topic.remove_prefix(kTaskTopicPrefix.size());
  topic.remove_suffix(1);
  return TaskId::parse(topic);
}

}  // namespace

std::string task_topic(const TaskId& id) {
  return std::string(kTaskTopicPrefix) + id.to_string() + ".";
}

void EventStreams::subscribe(const std::string& topic) {
  if (topic.size() > limits::kMaxTopicBytes) return;
  if (const auto id = parse_task_topic(topic)) {
    if (watched_tasks_.size() < limits::kMaxWatchedTasks) watched_tasks_.insert(*id);
  } else if (subscriptions_.size() < limits::kMaxSubscribedTopics) {
    subscriptions_.insert(topic);
  }
}

void EventStreams::unsubscribe(const std::string& topic) {
  if (const auto id = parse_task_topic(topic)) {
    watched_tasks_.erase(*id);
    streams_.erase(topic);
  } else {
    subscriptions_.erase(topic);
    forget_workflows(topic);
  }
}

void EventStreams::forget_subscribers() {
  for (const TaskId& id : watched_tasks_) streams_.erase(task_topic(id));
  watched_tasks_.clear();
  for (const std::string& topic : std::exchange(subscriptions_, {})) forget_workflows(topic);
}

bool EventStreams::watches_task(const TaskId& id) const {
  return !watched_tasks_.empty() && watched_tasks_.contains(id);
}

// Subscriptions are few (tools and people), so a prefix scan beats a trie.
bool EventStreams::covered(const std::string& topic) const {
  for (const auto& prefix : subscriptions_) {
    if (std::string_view(topic).starts_with(prefix)) return true;
  }
  return false;
}

EventStreams::Stream& EventStreams::stream(const std::string& topic, bool by_record) {
  Stream& found = streams_[topic];
  found.by_record = by_record;
  return found;
}

void EventStreams::advance(Stream& stream, Lsn lsn) {
  stream.seq = stream.by_record ? lsn.value() : stream.seq + 1;
}

void EventStreams::task_changed(TaskEvent event, Lsn lsn) {
  const std::string topic = "task." + event.tool + ".";
  Stream& by_tool = stream(topic, true);
  advance(by_tool, lsn);
  if (watches_task(event.id)) task_snapshot(event, lsn);
  if (!covered(topic)) {
    by_tool.published_seq = by_tool.seq;  // whoever comes later has missed it, and must see that
    return;
  }
  if (by_tool.pending.tasks.empty()) touched_.push_back(topic);
  by_tool.pending.tasks.push_back(std::move(event));
}

void EventStreams::tool_stands_at(const std::string& tool, Lsn last) {
  Stream& by_tool = stream("task." + tool + ".", true);
  by_tool.seq = std::max(by_tool.seq, last.value());
  by_tool.published_seq = std::max(by_tool.published_seq, last.value());
}

void EventStreams::task_snapshot(TaskEvent event, Lsn lsn) {
  const std::string topic = task_topic(event.id);
  Stream& own = stream(topic, true);
  advance(own, lsn);
  if (own.pending.tasks.empty()) touched_.push_back(topic);
  own.pending.tasks.push_back(std::move(event));
}

void EventStreams::task_progressed(TaskEvent event) {
  const std::string topic = "progress." + event.tool + ".";
  Stream& by_tool = stream(topic, false);
  advance(by_tool, Lsn{});
  if (watches_task(event.id)) {
    const std::string own_topic = task_topic(event.id);
    Stream& own = stream(own_topic, true);
    if (own.pending.tasks.empty()) touched_.push_back(own_topic);
    own.pending.tasks.push_back(event);
  }
  if (!covered(topic)) return;
  if (by_tool.pending.tasks.empty()) touched_.push_back(topic);
  by_tool.pending.tasks.push_back(std::move(event));
}

void EventStreams::workflow_changed(const WorkflowEvent& event, Lsn lsn) {
  const std::string topic = "workflow." + event.id.to_string() + ".";
  if (!covered(topic)) return;  // one topic per workflow: none is kept for nobody
  Stream& own = stream(topic, true);
  advance(own, lsn);
  if (own.pending.workflows.empty()) touched_.push_back(topic);
  own.pending.workflows.assign(1, event);  // only the newest counts of a turn matter
}

void EventStreams::forget_workflows(const std::string& prefix) {
  for (auto at = streams_.lower_bound(std::string(kWorkflowFamily)); at != streams_.end();) {
    if (!at->first.starts_with(kWorkflowFamily)) return;
    const bool unheard = at->first.starts_with(prefix) && !covered(at->first);
    at = unheard ? streams_.erase(at) : std::next(at);
  }
}

void EventStreams::worker_changed(WorkerEvent event) {
  const std::string topic = "worker.";
  Stream& own = stream(topic, false);
  advance(own, Lsn{});
  if (!covered(topic)) return;
  if (own.pending.workers.empty()) touched_.push_back(topic);
  own.pending.workers.push_back(std::move(event));
}

void EventStreams::flush(Epoch epoch, Lsn last_lsn, std::vector<Publish>& out) {
  for (const auto& topic : touched_) {
    const auto found = streams_.find(topic);
    if (found == streams_.end()) continue;
    flush(found->second, epoch, last_lsn, topic, out);
    const bool done =
        std::any_of(out.back().events.workflows.begin(), out.back().events.workflows.end(),
                    [](const WorkflowEvent& workflow) { return workflow.ended >= workflow.total; });
    if (done) streams_.erase(found);  // nothing follows
  }
  touched_.clear();
}

// The usual single message, or several when a turn held more than a message may.
void EventStreams::flush(Stream& own, Epoch epoch, Lsn last_lsn, const std::string& topic,
                         std::vector<Publish>& out) {
  std::vector<TaskEvent> tasks = std::exchange(own.pending.tasks, {});
  std::size_t at = 0;
  do {
    Events events;
    events.epoch = epoch;
    events.prev_seq = own.published_seq;
    events.seq = own.seq;
    events.offset = own.by_record ? offset_of(tasks, at) : 0;
    const std::size_t end = std::min(tasks.size(), at + limits::kMaxBatchItems);
    events.tasks.assign(std::make_move_iterator(tasks.begin() + static_cast<std::ptrdiff_t>(at)),
                        std::make_move_iterator(tasks.begin() + static_cast<std::ptrdiff_t>(end)));
    at = end;
    if (at >= tasks.size()) {
      events.workflows = std::exchange(own.pending.workflows, {});
      events.workers = std::exchange(own.pending.workers, {});
    } else if (own.by_record && tasks[at].seq > 0) {
      // Complete only up to the record before the one that goes on.
      events.seq = std::max(own.published_seq, tasks[at].seq - 1);
    }
    own.published_seq = events.seq;
    out.push_back({topic, std::move(events), last_lsn});
  } while (at < tasks.size());
}

void EventStreams::heartbeat(Epoch epoch, Lsn last_lsn, std::vector<Publish>& out) const {
  const std::string topic(kHeartbeatTopic);
  if (!covered(topic)) return;
  Events events;
  events.epoch = epoch;
  for (const auto& [name, stream] : streams_) {
    if (name.starts_with(kTaskTopicPrefix) || events.positions.size() >= limits::kMaxStreams) {
      continue;
    }
    // What waits for the end of the turn leaves behind this message.
    const bool waits = !stream.pending.tasks.empty() || !stream.pending.workflows.empty() ||
                       !stream.pending.workers.empty();
    events.positions.push_back({name, waits ? stream.published_seq : stream.seq});
  }
  out.push_back({topic, std::move(events), last_lsn});
}

}  // namespace taskpipe::broker
