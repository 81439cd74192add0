#include "broker/core/session_table.hpp"

#include <cassert>

namespace taskpipe::broker {

Session& SessionTable::open(const Peer& peer) {
  assert(find_peer(peer) == nullptr);
  const SessionId id = of_low(++last_low_);
  Session& session = sessions_[id];
  session.id = id;
  session.peer = peer;
  by_peer_[peer] = id;
  return session;
}

void SessionTable::close(SessionId id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  by_peer_.erase(found->second.peer);
  const auto by_uuid = by_uuid_.find({found->second.role, found->second.uuid});
  if (by_uuid != by_uuid_.end() && by_uuid->second == id) {
    by_uuid_.erase(by_uuid);
    const auto count = by_owner_.find(found->second.owner);
    if (--count->second == 0) by_owner_.erase(count);
  }
  sessions_.erase(found);
}

Session* SessionTable::find(SessionId id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}

Session* SessionTable::find_peer(const Peer& peer) {
  const auto found = by_peer_.find(peer);
  return found == by_peer_.end() ? nullptr : find(found->second);
}

Session* SessionTable::find_uuid(Role role, const PeerUuid& uuid) {
  const auto found = by_uuid_.find({role, uuid});
  return found == by_uuid_.end() ? nullptr : find(found->second);
}

void SessionTable::bind_uuid(const Session& session) {
  assert(find_uuid(session.role, session.uuid) == nullptr);
  by_uuid_[{session.role, session.uuid}] = session.id;
  ++by_owner_[session.owner];
}

std::size_t SessionTable::count_of(OwnerIndex owner) const {
  const auto found = by_owner_.find(owner);
  return found == by_owner_.end() ? 0 : found->second;
}

}  // namespace taskpipe::broker
