#include "client/src/wait_table.hpp"

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>

#include "client/src/call_errors.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::client {
namespace {

// Registered ids by the WAIT that carried them are found by a scan: errors are rare, and an index
// would cost every wait.
template <class Registrations, class Visit>
void each_asked_by(Registrations& registrations, Correlation correlation, const Visit& visit) {
  for (auto& [id, waiters] : registrations) {
    if (waiters.asked == correlation) visit(id, waiters);
  }
}

}  // namespace

void WaitTable::Waiters::add(CallId call) { others.push_back(call); }

bool WaitTable::Waiters::has(CallId call) const {
  return first == call || std::find(others.begin(), others.end(), call) != others.end();
}

bool WaitTable::Waiters::remove(CallId call) {
  if (first == call) {
    if (others.empty()) return true;
    first = others.back();
    others.pop_back();
  } else {
    std::erase(others, call);
  }
  return false;
}

template <class Id>
void WaitTable::enlist(Registrations<Id>& registrations, std::vector<Id>& unsent, const Id& id,
                       CallId call) {
  const auto [found, added] = registrations.try_emplace(id, Waiters{call, {}, {}});
  if (added) {
    unsent.push_back(id);
  } else {
    found->second.add(call);
  }
}

template <class Id>
std::optional<WaitTable::Waiters> WaitTable::take(Registrations<Id>& registrations, const Id& id) {
  auto node = registrations.extract(id);
  if (node.empty()) return std::nullopt;  // a repeated DONE, or nobody waits any more
  return std::move(node.mapped());
}

void WaitTable::add(CallId call, std::vector<TaskId> tasks) {
  for (const TaskId& id : tasks) enlist(tasks_, unsent_tasks_, id, call);
  const std::size_t open = tasks.size();
  calls_.emplace(call, Call{std::move(tasks), std::nullopt, open});
}

void WaitTable::add(CallId call, WorkflowId workflow) {
  enlist(workflows_, unsent_workflows_, workflow, call);
  calls_.emplace(call, Call{{}, workflow, 1});
}

void WaitTable::add_run(CallId call, std::vector<TaskId> tasks) {
  const std::size_t open = tasks.size();
  calls_.emplace(call, Call{std::move(tasks), std::nullopt, open, true});
}

void WaitTable::accepted(CallId call, const TaskId& task, Correlation submit, bool waits) {
  const auto [found, added] = tasks_.try_emplace(task, Waiters{call, {}, {}});
  if (!added) found->second.add(call);
  if (waits) {
    found->second.asked = submit;
  } else if (found->second.asked == Correlation{}) {
    unsent_tasks_.push_back(task);
  }
}

void WaitTable::fail_run(CallId call, const ClientError& why, Effects& out) {
  const auto found = calls_.find(call);
  if (found == calls_.end()) return;
  const std::vector<TaskId> tasks = found->second.tasks;  // the call may end within
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const auto waiters = tasks_.find(tasks[i]);
    if (waiters == tasks_.end() || !waiters->second.has(call)) continue;
    if (waiters->second.remove(call)) tasks_.erase(waiters);
    deliver_failure(call, i, accepted_but(why, tasks[i]), out);
  }
}

void WaitTable::deliver_failure(CallId call, std::size_t index, ClientError error, Effects& out) {
  const bool last = count_down(call);
  out.deliver(call, delivery::TaskRefused{index, std::move(error)}, last);
}

void WaitTable::forget(CallId call) {
  const auto found = calls_.find(call);
  if (found == calls_.end()) return;
  for (const TaskId& id : found->second.tasks) {
    const auto waiters = tasks_.find(id);
    if (waiters == tasks_.end() || !waiters->second.has(call)) continue;
    if (waiters->second.remove(call)) tasks_.erase(waiters);
  }
  if (found->second.workflow) {
    const auto waiters = workflows_.find(*found->second.workflow);
    if (waiters != workflows_.end() && waiters->second.remove(call)) workflows_.erase(waiters);
  }
  calls_.erase(found);
}

void WaitTable::on_welcome() {
  paused_until_ = MonotonicTime{};
  unsent_tasks_.clear();
  unsent_workflows_.clear();
  for (auto& [id, waiters] : tasks_) {
    waiters.asked = Correlation{};
    unsent_tasks_.push_back(id);
  }
  for (auto& [id, waiters] : workflows_) {
    waiters.asked = Correlation{};
    unsent_workflows_.push_back(id);
  }
  // The table's order is arbitrary; ids grow with time, and older tasks end first.
  std::sort(unsent_tasks_.begin(), unsent_tasks_.end());
  std::sort(unsent_workflows_.begin(), unsent_workflows_.end());
}

bool WaitTable::count_down(CallId call) {
  const auto found = calls_.find(call);
  if (found == calls_.end() || --found->second.open > 0) return false;
  calls_.erase(found);
  return true;
}

void WaitTable::task_ended(DoneTask&& task, Effects& out) {
  const auto waiters = take(tasks_, task.attempt.task);
  if (!waiters) return;
  if (waiters->others.empty()) return deliver_end(waiters->first, std::move(task), out);
  waiters->each([&](CallId call) { deliver_end(call, DoneTask(task), out); });
}

void WaitTable::deliver_end(CallId call, DoneTask&& task, Effects& out) {
  const bool last = count_down(call);
  if (!out.deliveries.empty() && out.deliveries.back().call == call) {
    if (auto* ended = std::get_if<delivery::TasksEnded>(&out.deliveries.back().what)) {
      ended->tasks.push_back(std::move(task));
      out.deliveries.back().last = last;
      return;
    }
  }
  delivery::TasksEnded ended;
  ended.tasks.push_back(std::move(task));
  out.deliver(call, std::move(ended), last);
}

template <class Id>
void WaitTable::fail_unknown(Registrations<Id>& registrations, const Id& id, std::string_view kind,
                             Effects& out) {
  const auto waiters = take(registrations, id);
  if (!waiters) return;
  waiters->each([&](CallId call) {
    const auto found = calls_.find(call);
    if (found == calls_.end()) return;
    ClientError error = refused(ErrorCode::unknown_task, std::string(kind) + " " + id.to_string());
    if constexpr (std::is_same_v<Id, TaskId>) {
      if (found->second.run) {
        const auto& tasks = found->second.tasks;
        const auto index = std::find(tasks.begin(), tasks.end(), id) - tasks.begin();
        return deliver_failure(call, static_cast<std::size_t>(index), std::move(error), out);
      }
    }
    forget(call);
    out.fail(call, std::move(error));
  });
}

void WaitTable::on_done(Done&& done, Effects& out) {
  for (auto& task : done.tasks) task_ended(std::move(task), out);
  for (const auto& workflow : done.workflows) {
    const auto waiters = take(workflows_, workflow.id);
    if (!waiters) continue;
    waiters->each([&](CallId call) {
      if (count_down(call)) out.deliver(call, delivery::WorkflowEnded{workflow}, true);
    });
  }
  for (const TaskId& id : done.unknown) fail_unknown(tasks_, id, "task", out);
  for (const WorkflowId& id : done.unknown_workflows) fail_unknown(workflows_, id, "workflow", out);
}

void WaitTable::on_error(Correlation correlation, const Error& error, MonotonicTime now,
                         Effects& out) {
  if (error.code == ErrorCode::busy || error.code == ErrorCode::flow) {
    paused_until_ = now + Millis(error.retry_ms.value_or(limits::kBusyRetryMs));
    each_asked_by(tasks_, correlation, [this](const TaskId& id, Waiters& waiters) {
      waiters.asked = Correlation{};
      unsent_tasks_.push_back(id);
    });
    each_asked_by(workflows_, correlation, [this](const WorkflowId& id, Waiters& waiters) {
      waiters.asked = Correlation{};
      unsent_workflows_.push_back(id);
    });
    return;
  }
  std::vector<CallId> failed;
  const auto collect = [&failed](const auto&, const Waiters& waiters) {
    waiters.each([&failed](CallId call) { failed.push_back(call); });
  };
  each_asked_by(tasks_, correlation, collect);
  each_asked_by(workflows_, correlation, collect);
  std::sort(failed.begin(), failed.end());
  failed.erase(std::unique(failed.begin(), failed.end()), failed.end());
  for (const CallId call : failed) {
    const auto found = calls_.find(call);
    if (found == calls_.end()) continue;
    if (found->second.run) {
      fail_run(call, refused(error), out);
    } else {
      forget(call);
      out.fail(call, refused(error));
    }
  }
}

void WaitTable::flush(MonotonicTime now, SessionId session, Effects& out) {
  if (now < paused_until_) return;
  Wait wait;
  Correlation correlation;
  const auto send = [&] {
    out.sends.push_back(Outgoing{std::exchange(wait, Wait{}), correlation, session});
    correlation = Correlation{};
  };
  const auto fill = [&](auto& registrations, auto& unsent, auto Wait::*list) {
    for (const auto& id : unsent) {
      const auto found = registrations.find(id);
      if (found == registrations.end() || found->second.asked != Correlation{}) continue;
      if (correlation == Correlation{}) correlation = correlations_.next(RequestKind::wait);
      found->second.asked = correlation;
      (wait.*list).push_back(id);
      if (wait.tasks.size() + wait.workflows.size() == limits::kMaxBatchItems) send();
    }
    unsent.clear();
  };
  fill(tasks_, unsent_tasks_, &Wait::tasks);
  fill(workflows_, unsent_workflows_, &Wait::workflows);
  if (correlation != Correlation{}) send();
}

std::optional<MonotonicTime> WaitTable::next_deadline() const {
  if (unsent_tasks_.empty() && unsent_workflows_.empty()) return std::nullopt;
  return paused_until_;
}

}  // namespace taskpipe::client
