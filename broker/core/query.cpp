// QUERY: reading without changing anything.
#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "broker/core/authority.hpp"
#include "broker/core/handlers.hpp"
#include "broker/core/waiting_reason.hpp"

namespace taskpipe::broker {
namespace {

// Cursors are opaque to clients: "m<arrival>" goes on in memory below that arrival number, "h<…>"
// is the history's own.
constexpr char kMemoryCursor = 'm';
constexpr char kHistoryCursor = 'h';

// "h<watermark>:<cursor>": goes on in the history with its own cursor, among what had left memory
// by then.
std::string history_cursor(Lsn watermark, const std::string& cursor) {
  return kHistoryCursor + std::to_string(watermark.value()) + ":" + cursor;
}

// What a question asks for beyond the plain rows.
struct Extras {
  bool params = false;
  bool attempts = false;
};
Extras extras_of(const Query& query) { return {query.with_params, query.with_attempts}; }

bool is_dead(TaskState state) {
  return state == TaskState::failure || state == TaskState::timeout || state == TaskState::error;
}

TaskRow row_of(const State& state, TaskSlot slot, Extras extras, WaitingReasons& reasons) {
  const Task& task = state.tasks[slot];
  const TaskEvent event = task_event(state, slot, WallTime{});
  TaskRow row;
  row.id = task.id;
  if (task.workflow.value() != kNoSlot) row.workflow = state.workflows[task.workflow].id;
  row.owner = state.owners.name(task.owner);
  row.tool = task.spec->tool;
  row.script = task.spec->script;
  row.state = event.state;
  row.failure = event.failure;
  row.priority = task.spec->priority;
  row.attempt = task.attempt();
  row.worker = event.worker;
  row.progress_percent = event.percent;
  row.message = event.message;
  if (std::string why = reasons.of(slot); !why.empty()) {
    row.message += (row.message.empty() ? "" : "; ") + why;
  }
  row.submitted = task.submitted;
  row.started = task.started();
  if (task.ended()) {
    row.exit_code = task.end().outcome.exit_code;
    row.finished = task.end().finished;
  }
  if (extras.params) row.params = task.params;
  const auto pasts = state.pasts.find(slot);
  if (extras.attempts && pasts != state.pasts.end()) row.attempts = pasts->second;
  const auto link = state.originals.find(slot);
  if (link != state.originals.end()) row.original = link->second;
  return row;
}

TaskRow row_of(const FinishedTask& task, Extras extras) {
  TaskRow row;
  row.id = task.id;
  row.workflow = task.workflow;
  row.owner = task.owner;
  row.tool = task.spec->tool;
  row.script = task.spec->script;
  row.state = task.outcome.state;
  row.failure = task.outcome.failure;
  row.priority = task.spec->priority;
  row.attempt = task.attempt;
  row.worker = task.worker;
  row.exit_code = task.outcome.exit_code;
  if (row.state == TaskState::success) row.progress_percent = 100.0;
  row.message = task.outcome.reason;
  row.submitted = task.submitted;
  row.started = task.started;
  row.finished = task.finished;
  row.original = task.original;
  if (extras.params) row.params = task.params;
  if (extras.attempts) {
    // What came late is added to the history's rows, beyond what a message may tell.
    const std::size_t count = std::min(task.pasts.size(), limits::kMaxPastAttempts);
    row.attempts.assign(task.pasts.begin(),
                        task.pasts.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return row;
}

bool matches(const State& state, const Task& task, const Session& session,
             const QueryFilter& filter) {
  if (!may_see(session, task.owner)) return false;
  if (filter.state && task.state() != *filter.state) return false;
  if (filter.dead && (!is_dead(task.state()) || state.repeated.contains(task.id))) return false;
  if (!filter.tool.empty() && task.spec->tool != filter.tool) return false;
  if (!filter.workflow) return true;
  return task.workflow.value() != kNoSlot && state.workflows[task.workflow].id == *filter.workflow;
}

void query_by_id(Turn& turn, Session& session, Correlation correlation, const Query& query) {
  State& state = turn.state;
  lookup::Querying waiting{session.id, correlation, query, state.history_watermark, {}, {}};
  WaitingReasons reasons(state);
  for (const TaskId& id : query.filter.tasks) {
    const TaskSlot slot = state.tasks.find(id);
    if (slot.value() == kNoSlot) {
      waiting.missing.push_back(id);
    } else if (may_see(session, state.tasks[slot].owner)) {
      waiting.rows.rows.push_back(row_of(state, slot, extras_of(waiting.query), reasons));
    } else {
      waiting.rows.unknown.push_back(id);
    }
  }
  if (waiting.missing.empty()) {
    turn.send(session, correlation, std::move(waiting.rows));
    return;
  }
  std::vector<TaskId> missing = waiting.missing;
  ask_history(turn, session, correlation, std::move(waiting),
              HistoryLookup::Tasks{std::move(missing)});
}

// Where a listing goes on: the newest task whose arrival lies below the cursor's.
TaskSlot resume_at(const State& state, std::string_view cursor) {
  if (cursor.empty()) return state.tasks.newest();
  std::uint64_t below = 0;
  std::from_chars(cursor.data() + 1, cursor.data() + cursor.size(), below);
  return state.tasks.newest_below(below);
}

void ask_listing(Turn& turn, Session& session, Correlation correlation, lookup::Querying waiting,
                 std::string cursor, std::uint32_t limit) {
  HistoryLookup::Listing listing{sees_all(session) ? "" : turn.state.owners.name(session.owner),
                                 waiting.query.filter, std::move(cursor), limit};
  ask_history(turn, session, correlation, std::move(waiting), std::move(listing));
}

void query_listing(Turn& turn, Session& session, Correlation correlation, const Query& query) {
  State& state = turn.state;
  lookup::Querying waiting{session.id, correlation, query, state.history_watermark, {}, {}};
  if (!query.cursor.empty() && query.cursor[0] == kHistoryCursor) {
    const auto colon = query.cursor.find(':');
    std::uint64_t watermark = 0;
    std::from_chars(query.cursor.data() + 1, query.cursor.data() + query.cursor.size(), watermark);
    waiting.watermark = Lsn(watermark);
    ask_listing(turn, session, correlation, std::move(waiting),
                colon == std::string::npos ? std::string() : query.cursor.substr(colon + 1),
                query.limit);
    return;
  }
  auto& rows = waiting.rows.rows;
  WaitingReasons reasons(state);
  std::size_t scanned = 0;
  TaskSlot slot = resume_at(state, query.cursor);
  for (; slot.value() != kNoSlot; slot = state.tasks[slot].by_arrival.previous) {
    const Task& task = state.tasks[slot];
    if (rows.size() >= query.limit || ++scanned > limits::kMaxQueryScan) {
      waiting.rows.next = kMemoryCursor + std::to_string(task.arrival.value() + 1);
      turn.send(session, correlation, std::move(waiting.rows));
      return;
    }
    if (matches(state, task, session, query.filter))
      rows.push_back(row_of(state, slot, Extras{}, reasons));
  }
  const bool only_live = query.filter.state && !is_terminal(*query.filter.state);
  const auto left = query.limit - static_cast<std::uint32_t>(rows.size());
  if (only_live) {
    turn.send(session, correlation, std::move(waiting.rows));
  } else if (left == 0) {
    waiting.rows.next = history_cursor(waiting.watermark, "");
    turn.send(session, correlation, std::move(waiting.rows));
  } else {
    ask_listing(turn, session, correlation, std::move(waiting), "", left);
  }
}

}  // namespace

void on_query(Turn& turn, Session& session, Correlation correlation, const Query& query) {
  if (!query.filter.tasks.empty()) {
    query_by_id(turn, session, correlation, query);
    return;
  }
  Query bounded = query;
  constexpr auto kMostRows = static_cast<std::uint32_t>(limits::kMaxQueryRows);
  bounded.limit = query.limit == 0 ? kMostRows : std::min(query.limit, kMostRows);
  query_listing(turn, session, correlation, bounded);
}

void resume_query(Turn& turn, lookup::Querying& waiting, const command::LookupAnswered& answer) {
  State& state = turn.state;
  Session* session = state.sessions.find(waiting.session);
  if (session == nullptr) return;
  if (waiting.missing.empty()) {
    for (const auto& task : answer.tasks) {
      // What was in memory when the listing left it behind was listed from there.
      if (task.terminal_lsn > waiting.watermark) continue;
      if (waiting.query.filter.dead && state.repeated.contains(task.id)) continue;
      waiting.rows.rows.push_back(row_of(task, Extras{}));
    }
    if (!answer.next.empty()) waiting.rows.next = history_cursor(waiting.watermark, answer.next);
    turn.send(*session, waiting.correlation, std::move(waiting.rows));
    return;
  }
  WaitingReasons reasons(state);
  for (const TaskId& id : waiting.missing) {
    const auto found = std::find_if(answer.tasks.begin(), answer.tasks.end(),
                                    [&](const FinishedTask& task) { return task.id == id; });
    const TaskSlot slot = state.tasks.find(id);
    if (found != answer.tasks.end() && may_see(state, *session, found->owner)) {
      waiting.rows.rows.push_back(row_of(*found, extras_of(waiting.query)));
    } else if (slot.value() != kNoSlot && may_see(*session, state.tasks[slot].owner)) {
      waiting.rows.rows.push_back(row_of(state, slot, extras_of(waiting.query), reasons));
    } else {
      waiting.rows.unknown.push_back(id);
    }
  }
  turn.send(*session, waiting.correlation, std::move(waiting.rows));
}

}  // namespace taskpipe::broker
