// Who watches which changes of state over the client port, and how far each has read the log.
//
// A watch is a filter and a cursor; it has no queue. What bounds it is credit: the messages that
// its client has granted and not consumed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/event_log.hpp"
#include "common/model/messages.hpp"
#include "common/model/time.hpp"

namespace taskpipe::broker {

// A StreamFilter, taken apart. All given conditions hold.
struct ChangeFilter {
  std::optional<OwnerIndex> owner;     // absent = everybody's
  std::optional<std::string> tool;     // absent = any
  std::optional<WorkflowId> workflow;  // absent = any
  std::vector<TaskId> tasks;           // sorted, each once; empty = any

  [[nodiscard]] bool matches(const ChangeLabel& label) const;
  [[nodiscard]] bool matches(const TaskId& id) const;
};
// Fills `read`; INVALID, naming the field, for a stream that cannot be replayed.
[[nodiscard]] std::optional<Error> read_filter(const StreamFilter& filter, OwnerIndex owner,
                                               ChangeFilter& read);

using Metrics = std::vector<std::pair<std::string, double>>;

struct WatchState {
  ChangeFilter filter;
  EventLog::Cursor next;
  Lsn passed;               // everything up to here was looked at
  Lsn told;                 // everything up to here was told
  std::uint32_t ahead = 0;  // changes of the record after `told` that were told
  std::uint64_t sent = 0;   // messages
  std::uint64_t granted = 0;
  bool position_due = true;  // to be told how far it is, though nothing happened to it
  bool progress = false;     // also of running tasks, as it is told
  // Of tasks that have told it in this turn; within credit only, since progress may be missed.
  std::map<TaskId, Metrics> moved;

  [[nodiscard]] bool may_send() const { return sent < granted; }
};

using WatchKey = std::pair<SessionId, Correlation>;

struct WatchTable {
  std::map<WatchKey, WatchState> all;
  WatchKey turn;  // whose turn it is when not all could be served
  // Somebody could be told more: the next turn is due at once.
  std::optional<MonotonicTime> unfinished_since;

  std::set<WatchKey> with_progress;  // those that want it

  [[nodiscard]] std::size_t count(SessionId session) const;
  void put(const WatchKey& key, WatchState watch);
  void drop(WatchKey key);  // a copy: it may be the one that goes
  void drop(SessionId session);
};

}  // namespace taskpipe::broker
