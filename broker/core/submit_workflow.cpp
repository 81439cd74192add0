// SUBMIT of a workflow: gathered part by part, checked and recorded as a whole.
#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "broker/core/fold.hpp"
#include "broker/core/handlers.hpp"
#include "broker/core/memory.hpp"

namespace taskpipe::broker {
namespace {

std::optional<Error> check_part(const SubmitWorkflow& whole, const SubmitWorkflow& part) {
  if (part.first_index != whole.items.size() || part.total != whole.total) {
    return Error{ErrorCode::invalid,
                 "first_index " + std::to_string(part.first_index) + " does not follow the " +
                     std::to_string(whole.items.size()) +
                     " tasks received; send the parts in order",
                 "first_index"};
  }
  if (part.items.size() > whole.total - whole.items.size()) {
    return Error{ErrorCode::invalid, "more tasks than the total of " + std::to_string(whole.total),
                 "items"};
  }
  if (part.dependencies.size() != part.items.size()) {
    return Error{ErrorCode::invalid, "dependencies has another length than items", "dependencies"};
  }
  return std::nullopt;
}

// What has arrived is held until the last part comes, so it is bounded while it arrives.
std::optional<Error> check_size(const PartialWorkflow& partial) {
  if (partial.bytes > limits::kMaxWorkflowBytes) {
    return Error{ErrorCode::too_big,
                 "params, scripts and labels of the workflow exceed 32 MiB; split it", "tasks"};
  }
  if (partial.dependencies > limits::kMaxWorkflowDependencies) {
    return Error{ErrorCode::too_big,
                 "more than 4000000 dependencies in all; let tasks in between gather them",
                 "tasks"};
  }
  return std::nullopt;
}

// Adds a part behind what has arrived. Specs are renumbered; one that no task uses is dropped.
std::optional<Error> join_part(PartialWorkflow& partial, SubmitWorkflow part) {
  SubmitWorkflow& whole = partial.whole;
  if (auto error = check_part(whole, part)) return error;
  constexpr std::uint32_t kUnused = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::uint32_t> renumbered(part.specs.size(), kUnused);
  for (auto& item : part.items) {
    std::uint32_t& spec = renumbered[item.spec];
    if (spec == kUnused) {
      spec = static_cast<std::uint32_t>(whole.specs.size());
      partial.bytes += text_bytes_of(*part.specs[item.spec]);
      whole.specs.push_back(part.specs[item.spec]);
    }
    item.spec = spec;
    partial.bytes += item.params.size();
  }
  for (const auto& dependencies : part.dependencies) {
    partial.dependencies += dependencies.after.size();
  }
  std::move(part.items.begin(), part.items.end(), std::back_inserter(whole.items));
  std::move(part.dependencies.begin(), part.dependencies.end(),
            std::back_inserter(whole.dependencies));
  return check_size(partial);
}

std::optional<Error> check_workflow(State& state, const SubmitWorkflow& whole) {
  if (auto error = check_dependencies(whole.dependencies)) return error;
  for (std::size_t i = 0; i < whole.specs.size(); ++i) {
    auto error = check_spec(*whole.specs[i]);
    if (!error) error = why_unsatisfiable(state, whole.specs[i]);
    if (!error) continue;
    const auto user = std::find_if(whole.items.begin(), whole.items.end(),
                                   [i](const SubmitItem& item) { return item.spec == i; });
    const auto task = static_cast<std::size_t>(user - whole.items.begin());
    error->field = "tasks[" + std::to_string(task) + "]." + error->field;
    return error;
  }
  std::vector<TaskId> ids;
  for (const auto& item : whole.items) {
    if (state.tasks.find(item.id).value() != kNoSlot) return conflict(item.id);
    ids.push_back(item.id);
  }
  std::sort(ids.begin(), ids.end());
  const auto repeated = std::adjacent_find(ids.begin(), ids.end());
  if (repeated != ids.end()) return conflict(*repeated);
  return std::nullopt;
}

void commit_workflow(Turn& turn, const Session& session, SubmitWorkflow whole) {
  State& state = turn.state;
  turn.commit(record::WorkflowSubmitted{state.owners.name(session.owner), turn.now.wall,
                                        state.next_arrival, whole.id, std::move(whole.name),
                                        whole.on_failure, std::move(whole.specs),
                                        std::move(whole.items), std::move(whole.dependencies)});
}

bool first_part_waits(const State& state, SessionId session, const WorkflowId& id) {
  return std::any_of(state.lookups.begin(), state.lookups.end(), [&](const auto& entry) {
    const auto* open = std::get_if<lookup::SubmittingWorkflow>(&entry.second);
    return open != nullptr && open->session == session && open->part.id == id;
  });
}

std::uint64_t held_bytes_of(const Session& session, const WorkflowId& id) {
  const auto upload = session.partial_workflows.find(id);
  return upload == session.partial_workflows.end() ? 0 : upload->second.held_bytes();
}

// A part that has come already, as a relay may repeat it: how many tasks are there. It must not
// begin the upload anew, nor end it for not following those behind it.
std::optional<std::uint32_t> received_before(const Session& session, Correlation correlation,
                                             const SubmitWorkflow& part) {
  const auto partial = session.partial_workflows.find(part.id);
  if (correlation == Correlation{} || partial == session.partial_workflows.end()) {
    return std::nullopt;
  }
  const std::size_t received = partial->second.whole.items.size();
  if (partial->second.round != correlation || part.first_index >= received) return std::nullopt;
  return static_cast<std::uint32_t>(received);
}

void take_part(Turn& turn, Session& session, lookup::SubmittingWorkflow& waiting,
               const std::vector<FinishedWorkflow>& found) {
  State& state = turn.state;
  const Correlation correlation = waiting.correlation;
  SubmitWorkflow& part = waiting.part;
  const WorkflowId id = part.id;
  WorkflowAck ack{id, part.total, {}};
  if (!found.empty()) {
    if (found[0].owner != state.owners.name(session.owner) || found[0].tasks.size() != part.total) {
      ack.error = Error{ErrorCode::id_conflict, "another workflow has this id", "workflow_id"};
    }
    turn.send(session, correlation, std::move(ack));
    return;
  }
  std::optional<Error> error = why_closed(state);
  if (!error) error = why_memory_full(state, part.first_index > 0);
  const WorkflowSlot known = state.workflows.find(id);
  if (known.value() != kNoSlot) {
    // A resend: the same workflow, or somebody else's.
    const Workflow& workflow = state.workflows[known];
    const bool same = workflow.owner == session.owner && workflow.members.size() == part.total &&
                      part.first_index < part.total && !part.items.empty() &&
                      workflow.members[part.first_index].id == part.items[0].id;
    if (!same)
      ack.error = Error{ErrorCode::id_conflict, "another workflow has this id", "workflow_id"};
    turn.send(session, correlation, std::move(ack));
    return;
  }
  if (const auto received = received_before(session, correlation, part)) {
    ack.received = *received;
    turn.send(session, correlation, std::move(ack));
    return;
  }
  if (part.total > limits::kMaxWorkflowTasks) {
    error = Error{
        ErrorCode::too_big,
        "a workflow has at most " + std::to_string(limits::kMaxWorkflowTasks) + " tasks; split it",
        "total"};
  }
  if (part.first_index == 0) {
    session.partial_workflows.erase(id);
    if (session.partial_workflows.size() >= limits::kMaxPartialWorkflows) {
      error = Error{ErrorCode::busy,
                    "too many unfinished workflows; finish one first",
                    {},
                    limits::kBusyRetryMs};
    }
  }
  if (!error) {
    PartialWorkflow& partial = session.partial_workflows[id];
    SubmitWorkflow& whole = partial.whole;
    if (whole.items.empty()) {
      whole.id = id;
      whole.name = part.name;
      whole.on_failure = part.on_failure;
      whole.total = part.total;
      partial.round = correlation;
    }
    error = join_part(partial, std::move(part));
    ack.received = static_cast<std::uint32_t>(whole.items.size());
    if (!error && whole.items.size() == whole.total) {
      error = check_workflow(state, whole);
      if (!error) {
        commit_workflow(turn, session, std::move(whole));
        session.partial_workflows.erase(id);
      }
    }
  }
  if (error) {
    session.partial_workflows.erase(id);
    ack.received = 0;
    ack.error = std::move(*error);
  }
  turn.send(session, correlation, std::move(ack));
}

}  // namespace

void on_submit_workflow(Turn& turn, Session& session, Correlation correlation, bool resend,
                        SubmitWorkflow part) {
  const WorkflowId id = part.id;
  // Later parts share the correlation of the first, and must not overtake it while the history is
  // asked about it.
  if (part.first_index == 0) {
    resend = may_have_come_before(session, correlation, resend);
  } else {
    resend = resend || first_part_waits(turn.state, session.id, id);
  }
  if (resend && turn.state.workflows.find(id).value() == kNoSlot) {
    // It may have ended and left memory since it was first sent.
    ask_history(turn, session, correlation,
                lookup::SubmittingWorkflow{session.id, correlation, std::move(part)},
                HistoryLookup::Workflows{{id}});
    return;
  }
  lookup::SubmittingWorkflow now{session.id, correlation, std::move(part)};
  resume_submit(turn, now, {});
}

void resume_submit(Turn& turn, lookup::SubmittingWorkflow& waiting,
                   const std::vector<FinishedWorkflow>& found) {
  State& state = turn.state;
  Session* const session = state.sessions.find(waiting.session);
  if (session == nullptr) return;
  const WorkflowId id = waiting.part.id;
  const std::uint64_t before = held_bytes_of(*session, id);
  take_part(turn, *session, waiting, found);
  state.memory.exchange(before, held_bytes_of(*session, id));
}

}  // namespace taskpipe::broker
