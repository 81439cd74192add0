#include "tests/support/memory_history.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <optional>
#include <string_view>

#include "common/model/limits.hpp"

namespace taskpipe::testing {
namespace {

using broker::FinishedTask;
using broker::FinishedWorkflow;
using broker::HistoryPage;

bool is_dead(const FinishedTask& task) {
  const TaskState state = task.outcome.state;
  return state == TaskState::failure || state == TaskState::timeout || state == TaskState::error;
}

bool matches(const FinishedTask& task, const QueryFilter& filter) {
  if (filter.workflow && task.workflow != filter.workflow) return false;
  if (filter.state && task.outcome.state != *filter.state) return false;
  if (!filter.tool.empty() && task.spec->tool != filter.tool) return false;
  return filter.tasks.empty() ||
         std::find(filter.tasks.begin(), filter.tasks.end(), task.id) != filter.tasks.end();
}

std::string cursor_text(Arrival arrival, std::uint64_t stored) {
  return std::to_string(arrival.value()) + "." + std::to_string(stored);
}

std::optional<std::pair<Arrival, std::uint64_t>> parse_cursor(std::string_view text) {
  std::uint64_t arrival = 0;
  std::uint64_t stored = 0;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, arrival);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, stored);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  return std::pair(Arrival(arrival), stored);
}

}  // namespace

void MemoryHistory::store(std::span<const FinishedTask> tasks,
                          std::span<const FinishedWorkflow> workflows, Lsn watermark) {
  assert(watermark >= watermark_);
  for (const FinishedTask& task : tasks) {
    assert(task.spec != nullptr);
    if (!tasks_.emplace(task.id, task).second) continue;
    if (task.original) repeated_.insert(*task.original);
    listings_[task.owner].emplace(Place(task.arrival, ++stored_), task.id);
    last_arrival_ = std::max(last_arrival_, task.arrival);
  }
  for (const FinishedWorkflow& workflow : workflows) workflows_.emplace(workflow.id, workflow);
  watermark_ = watermark;
}

void MemoryHistory::add_late(std::span<const broker::LateAttempt> attempts) {
  for (const broker::LateAttempt& late : attempts) {
    const auto task = tasks_.find(late.task);
    if (task == tasks_.end()) continue;
    std::vector<PastAttempt>& pasts = task->second.pasts;
    const auto is_it = [&](Epoch epoch, Attempt attempt) {
      return epoch == late.attempt.epoch && attempt == late.attempt.attempt;
    };
    const bool known = std::any_of(pasts.begin(), pasts.end(), [&](const PastAttempt& past) {
      return past.kind != PastKind::lost && is_it(past.epoch, past.attempt);
    });
    if (!known && !is_it(task->second.epoch, task->second.attempt)) pasts.push_back(late.attempt);
  }
}

std::vector<FinishedTask> MemoryHistory::find_tasks(std::span<const TaskId> ids) {
  std::vector<FinishedTask> found;
  for (const TaskId& id : ids) {
    const auto it = tasks_.find(id);
    if (it != tasks_.end()) found.push_back(it->second);
  }
  return found;
}

std::vector<FinishedWorkflow> MemoryHistory::find_workflows(std::span<const WorkflowId> ids) {
  std::vector<FinishedWorkflow> found;
  for (const WorkflowId& id : ids) {
    const auto it = workflows_.find(id);
    if (it != workflows_.end()) found.push_back(it->second);
  }
  return found;
}

HistoryPage MemoryHistory::list(const std::string& owner, const QueryFilter& filter,
                                const std::string& cursor, std::uint32_t limit) {
  HistoryPage page;
  // Everybody's in the order of the end, as the contract says.
  std::map<Place, TaskId> everybody;
  if (owner.empty()) {
    for (const auto& [name, own] : listings_) {
      for (const auto& [place, id] : own) everybody.emplace(Place({}, place.second), id);
    }
  }
  const auto listing = listings_.find(owner);
  if ((listing == listings_.end() && !owner.empty()) || limit == 0) return page;
  const auto& order = owner.empty() ? everybody : listing->second;
  const auto from = parse_cursor(cursor);
  auto next = from ? order.lower_bound(*from) : order.end();
  Place last;
  std::size_t bytes = 0;
  while (next != order.begin()) {
    --next;
    const FinishedTask& task = tasks_.at(next->second);
    if (!matches(task, filter)) continue;
    if (filter.dead && (!is_dead(task) || repeated_.contains(task.id))) continue;
    if (page.tasks.size() >= limit || bytes >= limits::kMaxHistoryPageBytes) {
      page.next = cursor_text(last.first, last.second);
      break;
    }
    page.tasks.push_back(task);
    page.tasks.back().pasts.clear();
    last = next->first;
    bytes += task.params.size() + task.outcome.report.size();
  }
  return page;
}

}  // namespace taskpipe::testing
