// RESUBMIT: what has ended without success, once more, as new tasks.
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>

#include "broker/core/authority.hpp"
#include "broker/core/handlers.hpp"
#include "broker/core/memory.hpp"

namespace taskpipe::broker {
namespace {

void refuse_item(ResubmitAck& ack, const TaskId& id, Error error) {
  ack.items.push_back({id, error.code});
  if (!ack.error) ack.error = std::move(error);
}

// What a new task takes over from an ended one.
struct Template {
  TaskSpecPtr spec;
  Payload params;
  ParamsHash params_hash;
  std::string owner;
};

// What is known of a task, in memory or by the history's answer.
class Known {
 public:
  Known(const State& state, const Session& session, const std::vector<FinishedTask>& found)
      : state_(state), session_(session) {
    for (const FinishedTask& task : found) rows_.emplace(task.id, &task);
  }

  // Whether the task is there, and which dead letter it repeats (none: nil).
  [[nodiscard]] std::optional<TaskId> repeats(const TaskId& id) const {
    const TaskSlot slot = state_.tasks.find(id);
    if (slot.value() != kNoSlot) {
      const auto link = state_.originals.find(slot);
      return link == state_.originals.end() ? TaskId{} : link->second;
    }
    const auto row = rows_.find(id);
    if (row == rows_.end()) return std::nullopt;
    return row->second->original.value_or(TaskId{});
  }

  [[nodiscard]] std::variant<Template, Error> dead_letter(const TaskId& id) const {
    const TaskSlot slot = state_.tasks.find(id);
    const auto row = rows_.find(id);
    if (slot.value() != kNoSlot) {
      const Task& task = state_.tasks[slot];
      if (!may_change(session_, task.owner)) return unknown(id);
      if (auto error = why_not(id, task.state())) return std::move(*error);
      return Template{task.spec, task.params, task.params_hash, state_.owners.name(task.owner)};
    }
    if (row == rows_.end() || !may_change(state_, session_, row->second->owner)) {
      return unknown(id);
    }
    const FinishedTask& task = *row->second;
    if (auto error = why_not(id, task.outcome.state)) return std::move(*error);
    return Template{task.spec, task.params, task.params_hash, task.owner};
  }

 private:
  static Error unknown(const TaskId& id) {
    return Error{ErrorCode::unknown_task, "there is no task " + id.to_string(), "original"};
  }
  static std::optional<Error> why_not(const TaskId& id, TaskState state) {
    if (!is_terminal(state)) {
      return Error{ErrorCode::invalid,
                   "task " + id.to_string() + " has not ended; wait for it, or cancel it",
                   "original"};
    }
    if (state == TaskState::success) {
      return Error{ErrorCode::invalid,
                   "task " + id.to_string() + " has succeeded; submit another one like it",
                   "original"};
    }
    return std::nullopt;
  }

  const State& state_;
  const Session& session_;
  std::unordered_map<TaskId, const FinishedTask*> rows_;
};

}  // namespace

// The history is always asked: whether a new id has run and left memory, only it knows.
void on_resubmit(Turn& turn, Session& session, Correlation correlation, Resubmit resubmit) {
  auto refusal = why_closed(turn.state);
  if (!refusal) refusal = why_memory_full(turn.state);
  if (refusal) {
    ResubmitAck ack;
    for (const auto& item : resubmit.items) refuse_item(ack, item.id, *refusal);
    turn.send(session, correlation, std::move(ack));
    return;
  }
  std::vector<TaskId> ids;
  for (const auto& item : resubmit.items) {
    ids.push_back(item.original);
    ids.push_back(item.id);
  }
  ask_history(turn, session, correlation,
              lookup::Resubmitting{session.id, correlation, std::move(resubmit)},
              HistoryLookup::Tasks{std::move(ids)});
}

void resume_resubmit(Turn& turn, lookup::Resubmitting& waiting,
                     const std::vector<FinishedTask>& found) {
  State& state = turn.state;
  const Session* session = state.sessions.find(waiting.session);
  if (session == nullptr) return;  // the client asks again in its next session
  const Known known(state, *session, found);
  ResubmitAck ack;
  std::map<std::string, record::TasksResubmitted> accepted;  // by owner: it stays the original's
  std::set<TaskId> made;
  for (const auto& item : waiting.resubmit.items) {
    if (const auto repeats = known.repeats(item.id)) {
      if (*repeats == item.original) {
        ack.items.push_back({item.id, ErrorCode::ok});
      } else {
        refuse_item(ack, item.id, conflict(item.id));
      }
      continue;
    }
    if (made.contains(item.id)) {
      refuse_item(ack, item.id, conflict(item.id));
      continue;
    }
    auto dead = known.dead_letter(item.original);
    if (auto* error = std::get_if<Error>(&dead)) {
      refuse_item(ack, item.id, std::move(*error));
      continue;
    }
    auto& copy = std::get<Template>(dead);
    ack.items.push_back({item.id, ErrorCode::ok});
    made.insert(item.id);
    if (copy.owner != state.owners.name(session->owner)) {
      turn.audit(*session, "resubmitted_for_another",
                 item.original.to_string() + " of '" + copy.owner + "'");
    }
    record::TasksResubmitted& again = accepted[copy.owner];
    again.tasks.items.push_back({item.id, static_cast<std::uint32_t>(again.tasks.specs.size()),
                                 std::move(copy.params), copy.params_hash});
    again.tasks.specs.push_back(std::move(copy.spec));
    again.originals.push_back(item.original);
  }
  for (auto& [owner, again] : accepted) {
    again.tasks.owner = owner;
    again.tasks.at = turn.now.wall;
    again.tasks.first_arrival = state.next_arrival;
    turn.commit(std::move(again));
  }
  turn.send(*session, waiting.correlation, std::move(ack));
}

}  // namespace taskpipe::broker
