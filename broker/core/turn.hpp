// One command being handled: the state, the time, and the effects it collects. The handlers of the
// core are free functions on a Turn, grouped by what they are about (session, submit, wait, …).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/core/effect.hpp"
#include "broker/core/state.hpp"

namespace taskpipe::broker {

struct Turn {
  State& state;
  const Now& now;
  Effects& effects;

  // Makes `record` true: numbers it, asks the journal for it and folds it into the state.
  Lsn commit(Record record);
  // As `commit` for a record whose items were folded one by one already (dispatch).
  Lsn commit_folded(Record record);

  // Leaves once everything that is true now is durable.
  void send(const Session& session, Correlation correlation, Message message);
  // For peers without a session, and for what reveals nothing (PONG).
  void send_now(const Peer& peer, Correlation correlation, Message message);
  void refuse(const Session& session, Correlation correlation, ErrorCode code, std::string text,
              std::string field = {});
  void note(NoteLevel level, std::string text);
  // Nothing without keys.
  void audit(const Session& session, std::string event, std::string detail = {});
};

// Asks the history; `what` goes on when the answer comes. False (and a BUSY to `session`) when too
// many questions are open.
bool ask_history(
    Turn& turn, const Session& session, Correlation correlation, Lookup continuation,
    std::variant<HistoryLookup::Tasks, HistoryLookup::Workflows, HistoryLookup::Listing> what);

}  // namespace taskpipe::broker
