// WATCH and EVENTS: changes of state told over the client port, from any number that the log still
// holds, then as they come.
//
// At the end of a turn every watch with credit is told what it has not seen, a message at a time
// and in rounds, within a bound of work for the whole turn; what is left goes on in the next one,
// which is then due at once. A watch without credit only moves its cursor past what does not
// concern it. One that the log overtakes is told GAP_TOO_OLD and dropped.
#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/authority.hpp"
#include "broker/core/handlers.hpp"

namespace taskpipe::broker {
namespace {

// What of a turn's work is left.
struct Budget {
  std::size_t scans = limits::kWatchScanPerTurn;
  std::size_t messages = limits::kWatchMessagesPerTurn;
};

constexpr std::size_t kFixedEventBytes = 128;  // of an encoded change, beside its texts

std::size_t bytes_of(const TaskEvent& event) {
  return kFixedEventBytes + event.tool.size() + event.script.size() + event.worker.size() +
         event.message.size();
}

Error too_old(Lsn floor) {
  return Error{ErrorCode::gap_too_old,
               "changes up to number " + std::to_string(floor.value()) +
                   " are no longer kept; take a SNAPSHOT and watch from its number",
               "after_seq"};
}

// Why the log cannot go on after that number, or nothing.
std::optional<Error> check_position(const State& state, const Watch& watch) {
  const Lsn after{*watch.after_seq};
  if (after < state.event_log.floor()) return too_old(state.event_log.floor());
  // Numbers that were told and are not in the journal: it is another one, or an older copy.
  const bool unknown = after > state.last_lsn || (watch.epoch && *watch.epoch > state.epoch) ||
                       (watch.epoch && *watch.epoch < state.epoch && after >= state.epoch_lsn);
  if (!unknown) return std::nullopt;
  return Error{ErrorCode::gap_too_old,
               "number " + std::to_string(after.value()) +
                   " is not of this journal; take a SNAPSHOT and watch from its number",
               "after_seq"};
}

// The changes of one message, and where the watch stands behind them.
class Filling {
 public:
  Filling(const EventLog& log, WatchState& watch, Budget& budget)
      : log_(log),
        watch_(watch),
        budget_(budget),
        ahead_(watch.ahead),
        ahead_of_(watch.told.next()) {}

  // Until the message is full, the budget used up, or the log ends at `last`; without credit, until
  // there is something to tell.
  void run(Lsn last, Events& events) {
    while (const auto view = log_.at(watch_.next)) {
      if (budget_.scans == 0 || full(events)) return stop_before(view->lsn);
      --budget_.scans;
      if (concerns(*view)) {
        if (!watch_.may_send()) return stop_before(view->lsn);
        put(view->lsn, events);
      }
      ++watch_.next.entry;
    }
    watch_.passed = last;
    ahead_ = 0;
    at_end_ = true;
  }

  // Whether nothing is left to look at.
  [[nodiscard]] bool at_end() const { return at_end_; }
  // Changes that were told of the record after `passed`.
  [[nodiscard]] std::uint32_t ahead() const { return ahead_; }

 private:
  [[nodiscard]] bool full(const Events& events) const {
    return events.tasks.size() >= limits::kMaxBatchItems || bytes_ >= limits::kMaxBatchBytes;
  }

  // The labels of a batch are equal, so that most answers are the one before.
  [[nodiscard]] bool concerns(const EventLog::View& view) {
    const std::pair label(watch_.next.chunk, view.label_number);
    if (label_ != label) {
      label_ = label;
      label_concerns_ = watch_.filter.matches(*view.label);
    }
    return label_concerns_ && watch_.filter.matches(view.id);
  }

  void put(Lsn lsn, Events& events) {
    if (ahead_of_ != lsn) ahead_ = 0;
    ahead_of_ = lsn;
    if (events.tasks.empty()) events.offset = ahead_;
    ++ahead_;
    events.tasks.push_back(log_.event(watch_.next));
    bytes_ += bytes_of(events.tasks.back());
    if (!watch_.filter.workflow) return;
    if (const auto counts = log_.workflow(watch_.next)) events.workflows.assign(1, *counts);
  }

  // Everything before the record `lsn` was looked at, and perhaps a part of that one.
  void stop_before(Lsn lsn) {
    watch_.passed = Lsn(lsn.value() - 1);
    if (ahead_of_ != lsn) ahead_ = 0;
  }

  const EventLog& log_;
  WatchState& watch_;
  Budget& budget_;
  std::uint32_t ahead_;
  Lsn ahead_of_;  // the record that `ahead_` counts in
  std::size_t bytes_ = 0;
  // Chunk and number of the label that was asked about last; at first of none.
  std::pair<std::uint64_t, std::uint32_t> label_{std::numeric_limits<std::uint64_t>::max(), 0};
  bool label_concerns_ = false;
  bool at_end_ = false;
};

// How far running tasks are, behind what has changed: without numbers, since it may be missed.
void add_progress(Turn& turn, WatchState& watch, Events& events) {
  State& state = turn.state;
  for (auto& [id, metrics] : std::exchange(watch.moved, {})) {
    if (events.tasks.size() >= limits::kMaxBatchItems) return;
    const TaskSlot slot = state.tasks.find(id);
    if (slot.value() == kNoSlot || state.tasks[slot].placed() == nullptr) continue;
    TaskEvent event = task_event(state, slot, turn.now.wall);
    event.metrics = std::move(metrics);
    events.tasks.push_back(std::move(event));
  }
}

bool concerns(const State& state, const ChangeFilter& filter, const Task& task) {
  if (filter.owner && task.owner != *filter.owner) return false;
  if (filter.tool && task.spec->tool != *filter.tool) return false;
  if (filter.workflow &&
      (task.workflow.value() == kNoSlot || state.workflows[task.workflow].id != *filter.workflow)) {
    return false;
  }
  return filter.matches(task.id);
}

// One message, if there is something to tell. False when there is no more, or no credit.
bool serve(Turn& turn, const WatchKey& key, WatchState& watch, Budget& budget) {
  State& state = turn.state;
  Events events;
  events.epoch = state.epoch;
  events.prev_seq = watch.told.value();
  Filling filling(state.event_log, watch, budget);
  filling.run(state.last_lsn, events);
  if (filling.at_end() && watch.may_send()) add_progress(turn, watch, events);
  const bool position_only = events.tasks.empty();
  if (!watch.may_send() || (position_only && !(watch.position_due && filling.at_end()))) {
    return position_only && !filling.at_end() && watch.may_send();
  }
  watch.told = watch.passed;
  watch.ahead = filling.ahead();
  watch.position_due = false;
  ++watch.sent;
  --budget.messages;
  events.seq = watch.told.value();
  turn.send(*state.sessions.find(key.first), key.second, std::move(events));
  return !filling.at_end() && watch.may_send();
}

// False when the log has given up what the watch has not seen.
bool keeps_up(const State& state, WatchState& watch) {
  if (!state.event_log.overtaken(watch.next)) return true;
  if (watch.passed < state.event_log.floor()) return false;
  watch.next = state.event_log.after(watch.passed);  // it stood at the very end of what is gone
  return true;
}

void drop_overtaken(Turn& turn) {
  State& state = turn.state;
  auto& watches = state.watches.all;
  for (auto at = watches.begin(); at != watches.end();) {
    if (keeps_up(state, at->second)) {
      ++at;
      continue;
    }
    turn.send(*state.sessions.find(at->first.first), at->first.second,
              ErrorReply{too_old(state.event_log.floor())});
    state.watches.drop((at++)->first);
  }
}

}  // namespace

void on_watch(Turn& turn, Session& session, Correlation correlation, const Watch& watch) {
  State& state = turn.state;
  const auto refuse = [&](const Error& error) {
    turn.refuse(session, correlation, error.code, error.text, error.field);
  };
  if (watch.filter.everybody && !may_watch_everybody(state, session)) {
    return refuse({ErrorCode::denied, "everybody's tasks are for keys of role observer or admin",
                   "everybody"});
  }
  WatchState made;
  if (auto error = read_filter(watch.filter, session.owner, made.filter)) return refuse(*error);
  if (watch.credit == 0) {
    return refuse({ErrorCode::invalid, "must allow at least one message", "credit"});
  }
  const WatchKey key{session.id, correlation};
  state.watches.drop(key);
  if (watch.after_seq) {
    if (auto error = check_position(state, watch)) return refuse(*error);
  }
  if (state.watches.all.size() >= limits::kMaxWatches ||
      state.watches.count(session.id) >= limits::kMaxWatchesPerSession) {
    return refuse({ErrorCode::busy, "too many watches are open; end one, or ask again", {}});
  }
  made.told = made.passed = watch.after_seq ? Lsn(*watch.after_seq) : state.last_lsn;
  made.next = state.event_log.after(made.told);
  made.granted = std::min(watch.credit, limits::kMaxWatchCredit);
  made.progress = watch.progress;
  state.watches.put(key, std::move(made));
}

void on_watch_credit(Turn& turn, Session& session, Correlation correlation,
                     const WatchCredit& credit) {
  auto& watches = turn.state.watches.all;
  const auto found = watches.find({session.id, correlation});
  if (found == watches.end()) return;  // it was overtaken meanwhile, and its client is told
  if (credit.end) {
    turn.state.watches.drop(found->first);
    return;
  }
  WatchState& watch = found->second;
  const std::uint64_t most = watch.sent + limits::kMaxWatchCredit;
  watch.granted = std::max(watch.granted, std::min(credit.total, most));
}

void watch_progress(State& state, TaskSlot slot, const Metrics& metrics) {
  const Task& task = state.tasks[slot];
  for (const WatchKey& key : state.watches.with_progress) {
    WatchState& watch = state.watches.all.at(key);
    if (!watch.may_send() || !concerns(state, watch.filter, task)) continue;
    if (watch.moved.size() >= limits::kMaxWatchProgress && !watch.moved.contains(task.id)) continue;
    watch.moved[task.id] = metrics;
  }
}

void tell_positions(State& state) {
  for (auto& [key, watch] : state.watches.all) {
    watch.position_due = watch.position_due || watch.told < watch.passed;
  }
}

void serve_watches(Turn& turn) {
  WatchTable& table = turn.state.watches;
  table.unfinished_since.reset();
  if (table.all.empty()) return;
  drop_overtaken(turn);
  std::vector<std::pair<const WatchKey, WatchState>*> waiting;
  waiting.reserve(table.all.size());
  const auto first = table.all.lower_bound(table.turn);
  for (auto at = first; at != table.all.end(); ++at) waiting.push_back(&*at);
  for (auto at = table.all.begin(); at != first; ++at) waiting.push_back(&*at);
  Budget budget;
  while (!waiting.empty()) {
    for (auto& entry : waiting) {
      if (budget.scans == 0 || budget.messages == 0) {
        table.turn = entry->first;
        table.unfinished_since = turn.now.monotonic;
        return;
      }
      if (!serve(turn, entry->first, entry->second, budget)) entry = nullptr;
    }
    std::erase(waiting, nullptr);
  }
}

}  // namespace taskpipe::broker
