#include "broker/core/turn.hpp"

#include "broker/core/fold.hpp"
#include "broker/core/memory.hpp"

namespace taskpipe::broker {

Lsn Turn::commit(Record record) {
  const Lsn lsn = commit_folded(std::move(record));
  fold(state, effects.records.back(), lsn);
  return lsn;
}

Lsn Turn::commit_folded(Record record) {
  const Lsn lsn = state.last_lsn.next();
  state.last_lsn = lsn;
  if (effects.records.empty()) effects.first_lsn = lsn;
  effects.records.push_back(std::move(record));
  return lsn;
}

void Turn::send(const Session& session, Correlation correlation, Message message) {
  effects.sends.push_back(
      {session.peer, session.id, correlation, std::move(message), state.last_lsn});
}

void Turn::send_now(const Peer& peer, Correlation correlation, Message message) {
  const Session* session = state.sessions.find_peer(peer);
  effects.sends.push_back({peer, session == nullptr ? SessionId{} : session->id, correlation,
                           std::move(message), Lsn{}});
}

void Turn::refuse(const Session& session, Correlation correlation, ErrorCode code, std::string text,
                  std::string field) {
  Error error{code, std::move(text), std::move(field)};
  if (code == ErrorCode::busy || code == ErrorCode::storage) error.retry_ms = limits::kBusyRetryMs;
  send(session, correlation, ErrorReply{std::move(error)});
}

void Turn::note(NoteLevel level, std::string text) {
  effects.notes.push_back({level, std::move(text)});
}

void Turn::audit(const Session& session, std::string event, std::string detail) {
  if (!session.credential) return;
  effects.audits.push_back({std::move(event), session.credential->user, session.credential->role,
                            session.credential->name, session.name, std::move(detail)});
}

bool ask_history(
    Turn& turn, const Session& session, Correlation correlation, Lookup continuation,
    std::variant<HistoryLookup::Tasks, HistoryLookup::Workflows, HistoryLookup::Listing> what) {
  if (turn.state.lookups.size() >= limits::kMaxLookupsInFlight) {
    turn.refuse(session, correlation, ErrorCode::busy,
                "too many questions to the history are open; ask again");
    return false;
  }
  const std::uint64_t ticket = ++turn.state.last_ticket;
  turn.state.memory.exchange(0, memory_of(continuation));
  turn.state.lookups.emplace(ticket, std::move(continuation));
  turn.effects.lookups.push_back({ticket, std::move(what)});
  return true;
}

}  // namespace taskpipe::broker
