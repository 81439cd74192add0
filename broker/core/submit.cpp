// SUBMIT: tasks are checked, recorded once, and acknowledged when that is durable.
#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "broker/core/handlers.hpp"

namespace taskpipe::broker {
namespace {

// Why the broker takes no submits now, or nothing.
std::optional<Error> why_closed(const State& state) {
  if (state.shutting_down) {
    return Error{ErrorCode::shutting_down, "the broker is shutting down; submit again later", {}};
  }
  if (!state.accepts_submits) {
    return Error{ErrorCode::storage,
                 "the journal's disk is full; free space on the broker's data folder",
                 {},
                 limits::kBusyRetryMs};
  }
  if (state.ended_tasks.size() > limits::kHistoryLagMaxTasks) {
    return Error{
        ErrorCode::busy, "the history lags behind; submit again later", {}, limits::kBusyRetryMs};
  }
  return std::nullopt;
}

// Counts against what the client was granted.
std::optional<Error> take_credit(Session& session, const std::vector<SubmitItem>& items) {
  session.received_items += items.size();
  for (const auto& item : items) session.received_bytes += item.params.size();
  if (items.size() > limits::kMaxBatchItems || session.received_items > session.granted_items) {
    return Error{ErrorCode::flow, "more tasks than granted by messages_total", "items"};
  }
  return std::nullopt;
}

// Every answer extends the window by what it answers.
SubmitAck new_ack(Session& session) {
  SubmitAck ack;
  session.granted_items = session.received_items + limits::kClientWindowItems;
  ack.messages_total = session.granted_items;
  ack.bytes_total = session.received_bytes + limits::kClientWindowBytes;
  return ack;
}

void refuse_item(SubmitAck& ack, const TaskId& id, Error error) {
  ack.items.push_back({id, error.code});
  if (!ack.error) ack.error = std::move(error);
}

std::string short_list(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 8;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kMost; ++i)
    text += (i == 0 ? "" : ", ") + names[i];
  return names.size() > kMost ? text + ", …" : text;
}

std::string known_tools(const State& state) {
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < state.tools.size(); ++i) {
    const Tool& tool = state.tools[ToolIndex(i)];
    if (tool.known_lsn.value() != 0) names.push_back(tool.offer.name);
  }
  return names.empty() ? "no worker has connected yet" : "known tools: " + short_list(names);
}

// For an error's text only: copies and sorts what all workers list.
std::string scripts_of(const State& state, const Tool& tool, ToolIndex index) {
  std::set<std::string> names;
  for (const WorkerSlot slot : tool.workers) {
    const OfferedTool* offer = state.workers[slot].offered(index);
    if (offer != nullptr) names.insert(offer->scripts.begin(), offer->scripts.end());
  }
  return short_list({names.begin(), names.end()});
}

std::optional<Error> check_script(const State& state, const Tool& tool, ToolIndex index,
                                  const TaskSpec& spec) {
  const bool is_inline = !spec.inline_script.empty();
  if (!is_inline && spec.script.empty()) {
    if (!tool.offer.requires_script) return std::nullopt;
    return Error{
        ErrorCode::invalid,
        "tool '" + spec.tool + "' needs a script; it has: " + scripts_of(state, tool, index),
        "script"};
  }
  bool inline_allowed = false;
  bool lists_scripts = false;
  for (const WorkerSlot slot : tool.workers) {
    const OfferedTool* offer = state.workers[slot].offered(index);
    if (offer == nullptr) continue;
    if (is_inline ? offer->inline_scripts : offer->scripts.contains(spec.script)) {
      return std::nullopt;
    }
    inline_allowed = inline_allowed || offer->inline_scripts;
    lists_scripts = lists_scripts || !offer->scripts.empty();
  }
  if (is_inline) {
    return Error{ErrorCode::invalid,
                 "tool '" + spec.tool + "' accepts no inline scripts; name one of its own",
                 "inline_script"};
  }
  if (!lists_scripts && !inline_allowed) return std::nullopt;
  return Error{ErrorCode::invalid,
               "tool '" + spec.tool + "' has no script '" + spec.script + "'; it has: " +
                   (lists_scripts ? scripts_of(state, tool, index) : "none (send it inline)"),
               "script"};
}

std::optional<Error> check_capacity(const State& state, const Tool& tool, const TaskSpec& spec) {
  const Resources need = required_resources(spec);
  std::string shortage;
  for (const WorkerSlot slot : tool.workers) {
    const std::string_view missing = first_shortage(need, state.workers[slot].total);
    if (missing.empty()) return std::nullopt;
    shortage = missing;
  }
  return Error{ErrorCode::unsatisfiable,
               "no worker that offers '" + spec.tool + "' has enough " + shortage +
                   "; ask for less, or submit with wait_for_capacity",
               shortage};
}

bool same_task(const TaskSpec& spec, const ParamsHash& hash, const TaskSpec& other,
               const ParamsHash& other_hash) {
  return hash == other_hash && (&spec == &other || spec == other);
}

Error conflict(const TaskId& id) {
  return Error{ErrorCode::id_conflict,
               "task " + id.to_string() + " exists with another specification", "task_id"};
}

}  // namespace

std::optional<Error> why_unsatisfiable(State& state, const TaskSpecPtr& spec) {
  const auto index = state.tools.find(spec->tool);
  if (!index || state.tools[*index].known_lsn.value() == 0) {
    if (spec->wait_for_capacity) return std::nullopt;
    return Error{ErrorCode::unsatisfiable,
                 "no worker has ever offered tool '" + spec->tool + "' (" + known_tools(state) +
                     "); start one that does, or submit with wait_for_capacity",
                 "tool"};
  }
  const Tool& tool = state.tools[*index];
  if (tool.workers.empty()) return std::nullopt;  // known but absent: it waits
  const auto known = state.signatures.find(*index, *spec);
  if (!known || state.signatures[*known].checked_at_offers != state.offers_version) {
    // A refused script is looked at again each time, so that no wrong name takes a signature.
    if (auto error = check_script(state, tool, *index, *spec)) return error;
    if (!known && state.signatures.size() >= limits::kMaxSignatures) {
      return spec->wait_for_capacity ? std::nullopt : check_capacity(state, tool, *spec);
    }
    Signature& checked = state.signatures[known ? *known : state.signatures.intern(*index, spec)];
    checked.unsatisfiable = check_capacity(state, tool, *spec);
    checked.checked_at_offers = state.offers_version;
    return spec->wait_for_capacity ? std::nullopt : checked.unsatisfiable;
  }
  return spec->wait_for_capacity ? std::nullopt : state.signatures[*known].unsatisfiable;
}

void on_submit(Turn& turn, Session& session, Correlation correlation, bool resend, Submit submit) {
  State& state = turn.state;
  std::optional<Error> refusal = take_credit(session, submit.items);
  if (!refusal) refusal = why_closed(state);
  if (refusal) {
    SubmitAck ack = new_ack(session);
    for (const auto& item : submit.items) refuse_item(ack, item.id, *refusal);
    turn.send(session, correlation, std::move(ack));
    return;
  }
  if (resend) {
    std::vector<TaskId> missing;
    for (const auto& item : submit.items) {
      if (state.tasks.find(item.id).value() == kNoSlot) missing.push_back(item.id);
    }
    if (!missing.empty()) {
      ask_history(turn, session, correlation,
                  lookup::Submitting{session.id, correlation, std::move(submit)},
                  HistoryLookup::Tasks{std::move(missing)});
      return;
    }
  }
  lookup::Submitting now{session.id, correlation, std::move(submit)};
  resume_submit(turn, now, {});
}

void resume_submit(Turn& turn, lookup::Submitting& waiting,
                   const std::vector<FinishedTask>& found) {
  State& state = turn.state;
  Session* session = state.sessions.find(waiting.session);
  if (session == nullptr) return;  // the client asks again in its next session
  Submit& submit = waiting.submit;
  SubmitAck ack = new_ack(*session);

  std::vector<std::optional<Error>> spec_errors;
  spec_errors.reserve(submit.specs.size());
  for (const auto& spec : submit.specs) {
    auto error = check_spec(*spec);
    spec_errors.push_back(error ? std::move(error) : why_unsatisfiable(state, spec));
  }

  std::vector<SubmitItem> accepted;
  accepted.reserve(submit.items.size());
  for (auto& item : submit.items) {
    const TaskSpec& spec = *submit.specs[item.spec];
    const auto row = std::find_if(found.begin(), found.end(),
                                  [&item](const FinishedTask& task) { return task.id == item.id; });
    const TaskSlot slot = state.tasks.find(item.id);
    if (slot.value() != kNoSlot) {
      const Task& task = state.tasks[slot];
      const bool same = task.owner == session->owner &&
                        same_task(spec, item.params_hash, *task.spec, task.params_hash);
      if (same) {
        ack.items.push_back({item.id, ErrorCode::ok});
      } else {
        refuse_item(ack, item.id, conflict(item.id));
      }
    } else if (row != found.end()) {
      const bool same = row->owner == state.owners.name(session->owner) &&
                        same_task(spec, item.params_hash, *row->spec, row->params_hash);
      if (same) {
        ack.items.push_back({item.id, ErrorCode::ok});
      } else {
        refuse_item(ack, item.id, conflict(item.id));
      }
    } else if (spec_errors[item.spec]) {
      refuse_item(ack, item.id, *spec_errors[item.spec]);
    } else {
      ack.items.push_back({item.id, ErrorCode::ok});
      accepted.push_back(std::move(item));
    }
  }
  if (!accepted.empty()) {
    const TaskSlot before = state.tasks.newest();
    const Arrival first = state.next_arrival;
    turn.commit(record::TasksSubmitted{state.owners.name(session->owner), turn.now.wall, first,
                                       std::move(submit.specs), std::move(accepted)});
    if (state.events.anyone()) {
      for (TaskSlot slot = state.tasks.newest(); slot != before;
           slot = state.tasks[slot].by_arrival.previous) {
        publish_state(turn, slot);
      }
    }
  }
  turn.send(*session, waiting.correlation, std::move(ack));
}

namespace {

std::size_t part_bytes(const SubmitWorkflow& part) {
  std::size_t bytes = 0;
  for (const auto& item : part.items) bytes += item.params.size();
  for (const auto& spec : part.specs) bytes += spec->inline_script.size();
  return bytes;
}

// Adds a part behind what has arrived; specs are renumbered.
std::optional<Error> join_part(SubmitWorkflow& whole, SubmitWorkflow part) {
  if (part.first_index != whole.items.size() || part.total != whole.total) {
    return Error{ErrorCode::invalid,
                 "first_index " + std::to_string(part.first_index) + " does not follow the " +
                     std::to_string(whole.items.size()) +
                     " tasks received; send the parts in order",
                 "first_index"};
  }
  const auto spec_base = static_cast<std::uint32_t>(whole.specs.size());
  std::move(part.specs.begin(), part.specs.end(), std::back_inserter(whole.specs));
  for (auto& item : part.items) {
    item.spec += spec_base;
    whole.items.push_back(std::move(item));
  }
  std::move(part.dependencies.begin(), part.dependencies.end(),
            std::back_inserter(whole.dependencies));
  return std::nullopt;
}

std::optional<Error> check_workflow(State& state, const SubmitWorkflow& whole) {
  if (whole.dependencies.size() != whole.items.size()) {
    return Error{ErrorCode::invalid, "dependencies has another length than items", "dependencies"};
  }
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

}  // namespace

void on_submit_workflow(Turn& turn, Session& session, Correlation correlation, bool resend,
                        SubmitWorkflow part) {
  const WorkflowId id = part.id;
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
  Session* const owner = state.sessions.find(waiting.session);
  if (owner == nullptr) return;
  Session& session = *owner;
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
    SubmitWorkflow& whole = session.partial_workflows[id];
    if (whole.items.empty()) {
      whole.id = id;
      whole.name = part.name;
      whole.on_failure = part.on_failure;
      whole.total = part.total;
    }
    error = join_part(whole, std::move(part));
    if (!error && part_bytes(whole) > limits::kMaxWorkflowBytes) {
      error = Error{ErrorCode::too_big,
                    "params and scripts of the workflow exceed 32 MiB; split it", "tasks"};
    }
    ack.received = static_cast<std::uint32_t>(whole.items.size());
    if (!error && whole.items.size() == whole.total) {
      error = check_workflow(state, whole);
      if (!error) {
        turn.commit(record::WorkflowSubmitted{state.owners.name(session.owner), turn.now.wall,
                                              state.next_arrival, id, whole.name, whole.on_failure,
                                              std::move(whole.specs), std::move(whole.items),
                                              std::move(whole.dependencies)});
        for (const Member& member : state.workflows[state.workflows.find(id)].members) {
          publish_state(turn, member.slot);
        }
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

}  // namespace taskpipe::broker
