#include "client/src/watched_events.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::client {
namespace {

constexpr std::string_view kTask = "task.";
constexpr std::string_view kProgress = "progress.";
constexpr std::string_view kId = "id.";
constexpr std::string_view kWorkflow = "workflow.";

// "lammps" of "task.lammps."; empty for "task.".
std::optional<std::string> tool_of(std::string_view topic) {
  for (const std::string_view family : {kTask, kProgress}) {
    if (!topic.starts_with(family)) continue;
    topic.remove_prefix(family.size());
    if (topic.ends_with('.')) topic.remove_suffix(1);
    return std::string(topic);
  }
  return std::nullopt;
}

template <class Id>
std::optional<Id> id_of(std::string_view topic, std::string_view family) {
  if (!topic.starts_with(family) || !topic.ends_with('.')) return std::nullopt;
  topic.remove_prefix(family.size());
  topic.remove_suffix(1);
  return Id::parse(topic);
}

}  // namespace

bool can_be_watched(const std::string& topic) {
  return tool_of(topic) || id_of<TaskId>(topic, kId) || id_of<WorkflowId>(topic, kWorkflow);
}

std::optional<StreamFilter> filter_for(const std::vector<std::string>& topics) {
  std::vector<TaskId> tasks;
  std::vector<std::string> tools;
  std::vector<std::string> workflows;
  for (const std::string& topic : topics) {
    if (auto tool = tool_of(topic)) tools.push_back(std::move(*tool));
    if (const auto id = id_of<TaskId>(topic, kId)) tasks.push_back(*id);
    if (id_of<WorkflowId>(topic, kWorkflow)) workflows.push_back(topic);
  }
  std::sort(tools.begin(), tools.end());
  tools.erase(std::unique(tools.begin(), tools.end()), tools.end());
  std::sort(tasks.begin(), tasks.end());
  const std::size_t kinds =
      (tasks.empty() ? 0U : 1U) + (tools.empty() ? 0U : 1U) + (workflows.empty() ? 0U : 1U);
  if (kinds == 0) return std::nullopt;
  StreamFilter filter;
  filter.stream = kTask;
  if (kinds > 1) return filter;
  if (tools.size() == 1 && !tools.front().empty())
    filter.stream = std::string(kTask) + tools.front() + ".";
  if (workflows.size() == 1) filter.stream = workflows.front();
  if (!tasks.empty() && tasks.size() <= limits::kMaxBatchItems) {
    filter.stream.clear();
    filter.tasks = std::move(tasks);
  }
  return filter;
}

namespace {

// Whether what has no number of its own is progress, or the state in which a task is.
enum class Numberless { progress, present_state };

std::vector<WatchedBatch> batches_of(const Events& events, Numberless numberless) {
  std::map<std::string, Events> by_topic;
  const auto under = [&](std::string topic) -> Events& {
    Events& own = by_topic[std::move(topic)];
    own.epoch = events.epoch;
    own.prev_seq = events.prev_seq;
    own.seq = events.seq;
    return own;
  };
  for (const TaskEvent& event : events.tasks) {
    const std::string_view family =
        event.seq == 0 && numberless == Numberless::progress ? kProgress : kTask;
    under(std::string(family) + event.tool + ".").tasks.push_back(event);
    under(std::string(kId) + event.id.to_string() + ".").tasks.push_back(event);
  }
  for (const WorkflowEvent& event : events.workflows) {
    under(std::string(kWorkflow) + event.id.to_string() + ".").workflows.push_back(event);
  }
  std::vector<WatchedBatch> batches;
  batches.reserve(by_topic.size());
  for (auto& [topic, own] : by_topic) batches.push_back({topic, std::move(own)});
  return batches;
}

}  // namespace

std::vector<WatchedBatch> batches_of(const Events& events) {
  return batches_of(events, Numberless::progress);
}

std::vector<WatchedBatch> batches_of(const Snap& snap) {
  Events events;
  events.epoch = snap.epoch;
  events.prev_seq = events.seq = snap.seq;
  events.tasks = snap.tasks;
  events.workflows = snap.workflows;
  return batches_of(events, Numberless::present_state);
}

}  // namespace taskpipe::client
