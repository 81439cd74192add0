#include "broker/core/watch_table.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

namespace taskpipe::broker {
namespace {

constexpr std::string_view kTaskFamily = "task.";
constexpr std::string_view kWorkflowFamily = "workflow.";

}  // namespace

bool ChangeFilter::matches(const ChangeLabel& label) const {
  if (owner && label.owner != *owner) return false;
  if (workflow && label.workflow != workflow) return false;
  return !tool || label.tool == *tool;
}

bool ChangeFilter::matches(const TaskId& id) const {
  return tasks.empty() || std::binary_search(tasks.begin(), tasks.end(), id);
}

std::optional<Error> read_filter(const StreamFilter& filter, OwnerIndex owner, ChangeFilter& read) {
  if (!filter.everybody) read.owner = owner;
  if (filter.stream.empty()) {
    if (filter.tasks.empty()) {
      return Error{ErrorCode::invalid, "name a stream, or at least one task", "stream"};
    }
    read.tasks = filter.tasks;
    std::sort(read.tasks.begin(), read.tasks.end());
    read.tasks.erase(std::unique(read.tasks.begin(), read.tasks.end()), read.tasks.end());
    return std::nullopt;
  }
  std::string_view stream = filter.stream;
  if (stream == kTaskFamily) return std::nullopt;
  if (stream.ends_with('.')) {
    stream.remove_suffix(1);
    if (stream.starts_with(kTaskFamily)) {
      read.tool = std::string(stream.substr(kTaskFamily.size()));
      return std::nullopt;
    }
    if (stream.starts_with(kWorkflowFamily)) {
      read.workflow = WorkflowId::parse(stream.substr(kWorkflowFamily.size()));
      if (read.workflow) return std::nullopt;
    }
  }
  return Error{ErrorCode::invalid,
               "'" + filter.stream +
                   "' is no stream of changes: they are task.<tool>., task. and "
                   "workflow.<32 hex digits>.",
               "stream"};
}

std::size_t WatchTable::count(SessionId session) const {
  const auto begin = all.lower_bound({session, Correlation{}});
  const auto end = all.lower_bound({SessionId(session.value() + 1), Correlation{}});
  return static_cast<std::size_t>(std::distance(begin, end));
}

void WatchTable::put(const WatchKey& key, WatchState watch) {
  drop(key);
  if (watch.progress) with_progress.insert(key);
  all.emplace(key, std::move(watch));
}

void WatchTable::drop(WatchKey key) {
  all.erase(key);
  with_progress.erase(key);
}

void WatchTable::drop(SessionId session) {
  const WatchKey begin{session, Correlation{}};
  const WatchKey end{SessionId(session.value() + 1), Correlation{}};
  all.erase(all.lower_bound(begin), all.lower_bound(end));
  with_progress.erase(with_progress.lower_bound(begin), with_progress.lower_bound(end));
}

}  // namespace taskpipe::broker
