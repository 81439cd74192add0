// SUBMIT: tasks are checked, recorded once, and acknowledged when that is durable.
#include <algorithm>
#include <set>
#include <utility>

#include "broker/core/handlers.hpp"
#include "broker/core/memory.hpp"

namespace taskpipe::broker {
namespace {

// Who submits more at once is not waiting for a thread to wake.
constexpr std::size_t kMostInLateAck = 16;

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
SubmitAck new_ack(Session& session, const Submit& submit) {
  SubmitAck ack;
  ack.waits = submit.wait;
  session.granted_items = session.received_items + limits::kClientWindowItems;
  ack.messages_total = session.granted_items;
  ack.bytes_total = session.received_bytes + limits::kClientWindowBytes;
  return ack;
}

void refuse_item(SubmitAck& ack, const TaskId& id, Error error) {
  ack.items.push_back({id, error.code});
  if (!ack.error) ack.error = std::move(error);
}

// Whoever hears this has heard the refusal already, or submits again as after that.
Error refused_before() {
  return Error{ErrorCode::busy,
               "this SUBMIT was refused before; submit again by another message, or with RESEND",
               {},
               limits::kBusyRetryMs};
}

std::vector<TaskId> accepted_ids(const SubmitAck& ack) {
  std::vector<TaskId> ids;
  ids.reserve(ack.items.size());
  for (const TaskCode& item : ack.items) {
    if (item.code == ErrorCode::ok) ids.push_back(item.id);
  }
  return ids;
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
  const bool is_inline = brings_script(spec);
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

std::optional<Error> check_capacity(const State& state, const Tool& tool, ToolIndex index,
                                    const TaskSpec& spec) {
  const Resources need = required_resources(spec);
  std::string shortage;
  bool fetched = spec.inputs.empty();
  for (const WorkerSlot slot : tool.workers) {
    const OfferedTool* offer = state.workers[slot].offered(index);
    if (!spec.inputs.empty() && (offer == nullptr || !offer->fetches_inputs)) continue;
    fetched = true;
    const std::string_view missing = first_shortage(need, state.workers[slot].total);
    if (missing.empty()) return std::nullopt;
    shortage = missing;
  }
  if (!fetched) {
    return Error{ErrorCode::unsatisfiable,
                 "no worker that offers '" + spec.tool +
                     "' fetches input files; update the workers, or submit with wait_for_capacity",
                 "inputs"};
  }
  return Error{ErrorCode::unsatisfiable,
               "no worker that offers '" + spec.tool + "' has enough " + shortage +
                   "; ask for less, or submit with wait_for_capacity",
               shortage};
}

bool all_held(const State& state, const Submit& submit) {
  return std::all_of(submit.items.begin(), submit.items.end(), [&state](const SubmitItem& item) {
    return state.tasks.find(item.id).value() != kNoSlot;
  });
}

bool same_task(const TaskSpec& spec, const ParamsHash& hash, const TaskSpec& other,
               const ParamsHash& other_hash) {
  return hash == other_hash && (&spec == &other || spec == other);
}

}  // namespace

std::optional<Error> why_closed(const State& state) {
  if (state.shutting_down) {
    return Error{ErrorCode::shutting_down, "the broker is shutting down; submit again later", {}};
  }
  if (!state.read_only.empty()) {
    return Error{ErrorCode::storage, state.read_only, {}, limits::kBusyRetryMs};
  }
  if (!state.accepts_submits) {
    return Error{ErrorCode::storage,
                 "the journal's disk is full; free space on the broker's data folder",
                 {},
                 limits::kBusyRetryMs};
  }
  if (state.ended_tasks.size() > limits::kHistoryLagMaxTasks) {
    return Error{ErrorCode::busy,
                 "the history lags behind; submit again later",
                 {},
                 limits::kHistoryLagRetryMs};
  }
  return std::nullopt;
}

Error conflict(const TaskId& id) {
  return Error{ErrorCode::id_conflict,
               "task " + id.to_string() + " exists with another specification", "task_id"};
}

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
    Signature& checked = state.signatures[known ? *known : state.signatures.intern(*index, spec)];
    checked.unsatisfiable = check_capacity(state, tool, *index, *spec);
    checked.checked_at_offers = state.offers_version;
    return spec->wait_for_capacity ? std::nullopt : checked.unsatisfiable;
  }
  return spec->wait_for_capacity ? std::nullopt : state.signatures[*known].unsatisfiable;
}

bool may_have_come_before(Session& session, Correlation correlation, bool resend) {
  if (correlation <= session.last_submit) return true;
  session.last_submit = correlation;
  return resend;
}

void on_submit(Turn& turn, Session& session, Correlation correlation, bool resend, Submit submit) {
  State& state = turn.state;
  std::optional<Error> refusal = take_credit(session, submit.items);
  if (!refusal) refusal = why_closed(state);
  // What is held already needs no room: a client that repeats it is told so.
  if (!refusal && memory_is_full(state) && !all_held(state, submit)) {
    refusal = why_memory_full(state);
  }
  const bool known = may_have_come_before(session, correlation, resend);
  if (!refusal && known && !resend && session.refused_submits.contains(correlation)) {
    refusal = refused_before();
  }
  if (refusal) {
    session.refused_submits.add(correlation);
    SubmitAck ack = new_ack(session, submit);
    for (const auto& item : submit.items) refuse_item(ack, item.id, *refusal);
    turn.send(session, correlation, std::move(ack));
    return;
  }
  if (known && !all_held(state, submit)) {
    // For every one of them: what is held now may have left for the history when it answers.
    std::vector<TaskId> ids;
    for (const auto& item : submit.items) ids.push_back(item.id);
    const bool asked = ask_history(turn, session, correlation,
                                   lookup::Submitting{session.id, correlation, std::move(submit)},
                                   HistoryLookup::Tasks{std::move(ids)});
    if (!asked) session.refused_submits.add(correlation);
    return;
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
  SubmitAck ack = new_ack(*session, submit);

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
    const Arrival first = state.next_arrival;
    turn.commit(record::TasksSubmitted{state.owners.name(session->owner), turn.now.wall, first,
                                       std::move(submit.specs), std::move(accepted)});
  }
  std::vector<TaskId> awaited;
  if (submit.wait) awaited = accepted_ids(ack);
  if (!awaited.empty() && awaited.size() == ack.items.size() && awaited.size() <= kMostInLateAck) {
    send_late(turn, *session, waiting.correlation, std::move(ack));
  } else {
    turn.send(*session, waiting.correlation, std::move(ack));
  }
  wait_for_submitted(turn, *session, awaited, found);  // behind the acknowledgement
}

}  // namespace taskpipe::broker
