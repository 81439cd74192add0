// Who is connected: one session per accepted HELLO.
//
// A session's number carries the epoch in its upper half, so that a number from before a restart
// can never name a session of this one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/command.hpp"
#include "broker/core/refused_submits.hpp"
#include "broker/core/task_table.hpp"
#include "common/model/messages.hpp"
#include "common/model/time.hpp"

namespace taskpipe::broker {

// A workflow whose parts have not all arrived.
struct PartialWorkflow {
  SubmitWorkflow whole;
  Correlation round;      // of all its parts; a client that starts over takes another
  std::size_t bytes = 0;  // of its params, and of the texts of its specs
  std::size_t dependencies = 0;

  [[nodiscard]] std::uint64_t held_bytes() const {
    return bytes + whole.items.size() * (sizeof(SubmitItem) + sizeof(Dependencies)) +
           dependencies * sizeof(std::uint32_t) + whole.specs.size() * sizeof(TaskSpec);
  }
};

struct Session {
  SessionId id;
  Peer peer;
  Role role = Role::client;  // as the key says, else as HELLO says
  OwnerIndex owner;          // likewise
  CredentialPtr credential;  // null without keys
  PeerUuid uuid;
  std::uint64_t incarnation = 0;
  std::string name;
  WorkerSlot worker{kNoSlot};  // with Role::worker
  MonotonicTime last_heard;
  std::uint32_t malformed = 0;

  // Client: what it has submitted, against what it was granted.
  std::uint64_t granted_items = 0;
  std::uint64_t received_items = 0;
  std::uint64_t received_bytes = 0;
  Correlation last_submit;  // the highest of a SUBMIT or WORKFLOW
  RefusedSubmits refused_submits;
  std::map<WorkflowId, PartialWorkflow> partial_workflows;

  std::set<std::pair<TaskId, LogStream>> follows;  // as State::followers has it

  // DONE of this turn, not closed yet.
  Done outbox;
  std::size_t outbox_bytes = 0;
  std::size_t outbox_blobs = 0;
  // SUBMIT_ACKs that nobody waits for: they leave with the next DONE, or when it does not come
  // soon.
  std::vector<std::pair<Correlation, SubmitAck>> late_acks;
  MonotonicTime late_since{};  // of the first
  bool late_timer = false;     // is set
};

class SessionTable {
 public:
  void begin_epoch(Epoch epoch) { epoch_ = epoch; }
  // The peer must have no session.
  Session& open(const Peer& peer);
  void close(SessionId id);

  // Null when there is none (any more).
  [[nodiscard]] Session* find(SessionId id);
  [[nodiscard]] Session* find_low(std::uint32_t low_half) { return find(of_low(low_half)); }
  [[nodiscard]] Session* find_peer(const Peer& peer);
  [[nodiscard]] Session* find_uuid(Role role, const PeerUuid& uuid);
  void bind_uuid(const Session& session);
  // Sessions that are bound and have this owner.
  [[nodiscard]] std::size_t count_of(OwnerIndex owner) const;
  [[nodiscard]] std::size_t size() const { return sessions_.size(); }
  // In the order of opening.
  [[nodiscard]] std::map<SessionId, Session>& all() { return sessions_; }
  [[nodiscard]] const std::map<SessionId, Session>& all() const { return sessions_; }

  [[nodiscard]] static std::uint32_t low_half(SessionId id) {
    return static_cast<std::uint32_t>(id.value());
  }

 private:
  [[nodiscard]] SessionId of_low(std::uint32_t low_half) const {
    return SessionId((epoch_.value() << 32U) | low_half);
  }

  Epoch epoch_;
  std::uint32_t last_low_ = 0;
  std::map<SessionId, Session> sessions_;
  std::map<Peer, SessionId> by_peer_;
  std::map<std::pair<Role, PeerUuid>, SessionId> by_uuid_;
  std::map<OwnerIndex, std::size_t> by_owner_;
};

}  // namespace taskpipe::broker
