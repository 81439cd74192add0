// Sessions: probe → WHO → HELLO → WELCOME, and what ends them.
#include <algorithm>
#include <set>
#include <utility>

#include "broker/core/authority.hpp"
#include "broker/core/fold.hpp"
#include "broker/core/handlers.hpp"

namespace taskpipe::broker {
namespace {

std::optional<Error> check_hello(const Peer& peer, const Hello& hello) {
  if (hello.version_min > kProtocolVersionMax || hello.version_max < kProtocolVersionMin) {
    return Error{ErrorCode::version,
                 "this broker speaks protocol versions " + std::to_string(kProtocolVersionMin) +
                     "–" + std::to_string(kProtocolVersionMax) + "; update the older side",
                 "version_min"};
  }
  const bool worker_port = peer.port == Port::worker;
  if ((hello.role == Role::worker) != worker_port) {
    return Error{ErrorCode::denied,
                 worker_port ? "this is the worker port; clients connect to the client port"
                             : "this is the client port; workers connect to the worker port",
                 "role"};
  }
  if (hello.uuid.is_nil()) {
    return Error{ErrorCode::invalid, "uuid is nil; draw a random one", "uuid"};
  }
  if (hello.user.empty()) return Error{ErrorCode::invalid, "user is empty", "user"};
  return std::nullopt;
}

// What the key has to do with the HELLO. Its port has admitted it once; since then it may have been
// revoked, or given another role.
std::optional<Error> check_key(const State& state, const Peer& peer, const CredentialPtr& key) {
  if (!state.config.keys) return std::nullopt;
  if (!key) {
    return Error{ErrorCode::denied,
                 "the broker does not admit this key (any more); ask its administrator for another",
                 "key"};
  }
  const bool worker_port = peer.port == Port::worker;
  if ((key->role == Role::worker) == worker_port) return std::nullopt;
  return Error{ErrorCode::denied,
               "the key '" + key->name + "' is of role " + std::string(name_of(key->role)) +
                   ", which has no business on this port",
               "role"};
}

// A uuid belongs to the user whose key came with it first: nobody else can drive its owner out, or
// take over what a worker was given.
std::optional<Error> check_uuid(State& state, Role role, const Hello& hello,
                                const CredentialPtr& key) {
  if (!key) return std::nullopt;
  const Session* former = state.sessions.find_uuid(role, hello.uuid);
  bool foreign = former != nullptr && former->credential && former->credential->user != key->user;
  if (role == Role::worker) {
    const auto known = state.workers.find(hello.uuid);
    const std::string owner = known ? state.workers[*known].user : "";
    foreign = foreign || (!owner.empty() && owner != key->user);
  }
  if (!foreign) return std::nullopt;
  return Error{ErrorCode::denied, "this uuid belongs to another user; draw one of your own",
               "uuid"};
}

std::optional<Error> check_room(State& state, Role role, const Hello& hello,
                                const CredentialPtr& key) {
  // Whoever comes back takes the place that it has: a full broker must not lose its workers.
  if (state.sessions.find_uuid(role, hello.uuid) != nullptr) return std::nullopt;
  if (state.sessions.size() >= limits::kMaxSessions) {
    return Error{ErrorCode::busy, "too many sessions are open", {}, limits::kBusyRetryMs};
  }
  if (key &&
      state.sessions.count_of(state.owners.intern(key->user)) >= limits::kMaxSessionsPerUser) {
    return Error{ErrorCode::busy,
                 "user '" + key->user + "' has too many sessions open; close some",
                 {},
                 limits::kBusyRetryMs};
  }
  return std::nullopt;
}

Welcome welcome_for(const State& state, const Session& session) {
  Welcome welcome;
  welcome.session = session.id;
  welcome.broker = state.broker;
  welcome.epoch = state.epoch;
  welcome.heartbeat_ms =
      std::max(state.config.heartbeat_ms, static_cast<std::uint32_t>(state.sessions.size() / 2));
  welcome.lease_ms = state.config.lease_ms;
  welcome.max_message_bytes = limits::kMaxFrameBytes;
  welcome.max_batch_items = limits::kMaxBatchItems;
  welcome.messages_total = limits::kClientWindowItems;
  welcome.bytes_total = limits::kClientWindowBytes;
  welcome.event_endpoint = state.config.event_endpoint;
  welcome.bulk_endpoint = state.config.bulk_endpoint;
  if (!welcome.bulk_endpoint.empty()) {
    welcome.bulk_token = token_of(state.config.token_secret, session.id);
  }
  if (!session.credential) return welcome;
  welcome.role = session.role;
  welcome.user = session.credential->user;
  if (session.role == Role::client) welcome.event_endpoint.clear();  // it is not for them
  return welcome;
}

void refuse_hello(Turn& turn, const Peer& peer, Correlation correlation, const Hello& hello,
                  const CredentialPtr& key, Error error) {
  turn.note(NoteLevel::warning, "refused HELLO of '" + hello.name + "': " + error.text);
  if (turn.state.config.keys) {
    turn.effects.audits.push_back({"hello_refused", key ? key->user : "",
                                   key ? key->role : hello.role, key ? key->name : "", hello.name,
                                   error.text});
  }
  turn.send_now(peer, correlation, ErrorReply{std::move(error)});
}

}  // namespace

void on_probe(Turn& turn, const Peer& peer) {
  turn.send_now(peer, Correlation{}, Who{turn.state.epoch});
}

void on_hello(Turn& turn, const Peer& peer, Correlation correlation, const Hello& hello,
              const CredentialPtr& credential) {
  State& state = turn.state;
  const Role role = credential ? credential->role : hello.role;
  std::optional<Error> error = check_hello(peer, hello);
  if (!error) error = check_key(state, peer, credential);
  if (!error) error = check_uuid(state, role, hello, credential);
  if (!error) error = check_room(state, role, hello, credential);
  if (error) return refuse_hello(turn, peer, correlation, hello, credential, std::move(*error));
  // The newer of two sessions with one uuid wins. A peer that merely reconnected is gone from its
  // old address; another process that took the uuid over must stop, and is told so.
  if (Session* former = state.sessions.find_uuid(role, hello.uuid)) {
    if (former->peer != peer && former->incarnation != hello.incarnation) {
      turn.send(*former, Correlation{}, Bye{"replaced"});
      turn.note(NoteLevel::warning, "'" + hello.name + "' replaces an earlier session");
    }
    close_session(turn, former->id);
  }
  // Whoever spoke on this connection before, under another uuid, is gone.
  if (const Session* former = state.sessions.find_peer(peer)) close_session(turn, former->id);
  Session& session = state.sessions.open(peer);
  session.role = role;
  session.owner = state.owners.intern(credential ? credential->user : hello.user);
  session.credential = credential;
  session.uuid = hello.uuid;
  session.incarnation = hello.incarnation;
  session.name = hello.name;
  session.last_heard = turn.now.monotonic;
  session.granted_items = limits::kClientWindowItems;
  state.sessions.bind_uuid(session);
  turn.audit(session, "session_opened", "from " + hello.host);
  const Welcome welcome = welcome_for(state, session);
  const bool may_put = role == Role::worker || may(role, Deed::submit);
  turn.effects.session_changes.push_back({session.id, welcome.bulk_token, may_put});
  turn.send(session, correlation, welcome);
  if (role == Role::worker) {
    attach_worker(turn, session, hello);
  } else {
    schedule(state, turn.now.monotonic + Millis(state.config.lease_ms), TimerKind::session_silence,
             session.id.value());
  }
}

Session* admit(Turn& turn, const Peer& peer, SessionId claimed) {
  State& state = turn.state;
  Session* session = state.sessions.find(claimed);
  if (session == nullptr || session->peer != peer) {
    turn.send_now(peer, Correlation{}, Who{state.epoch});
    return nullptr;
  }
  session->last_heard = turn.now.monotonic;
  if (session->worker.value() != kNoSlot) {
    Worker& worker = state.workers[session->worker];
    worker.last_heard = turn.now.monotonic;
    if (worker.state == WorkerState::suspect) {
      worker.state = WorkerState::ready;
      state.events.worker_changed({worker.uuid, worker.name, worker.state});
      mark_dirty(state, session->worker);
    }
  }
  return session;
}

void on_malformed(Turn& turn, const command::MalformedReceived& command) {
  State& state = turn.state;
  Session* session = state.sessions.find_peer(command.peer);
  turn.send_now(command.peer, command.correlation, ErrorReply{command.error});
  if (session == nullptr) return;
  if (++session->malformed < limits::kMaxMalformedPerSession) return;
  turn.note(NoteLevel::warning,
            "'" + session->name + "' sent too many malformed messages; its session is closed");
  turn.send_now(command.peer, Correlation{}, Bye{"too many malformed messages"});
  close_session(turn, session->id);
}

void on_unreachable(Turn& turn, const Peer& peer) {
  if (const Session* session = turn.state.sessions.find_peer(peer)) {
    turn.note(NoteLevel::info, "'" + session->name + "' is unreachable, or does not read");
    close_session(turn, session->id);
    // One that reads after all learns it at once, rather than with its next message.
    turn.send_now(peer, Correlation{}, Who{turn.state.epoch});
  }
}

void on_keys_revoked(Turn& turn, const std::vector<std::string>& keys) {
  const std::set<std::string> revoked(keys.begin(), keys.end());
  std::vector<SessionId> ended;
  for (auto& [id, session] : turn.state.sessions.all()) {
    if (!session.credential || !revoked.contains(session.credential->key)) continue;
    turn.send(
        session, Correlation{},
        Bye{"the key '" + session.credential->name + "' is not admitted any more as what it was"});
    turn.note(NoteLevel::warning, "the session of '" + session.name + "' is closed: its key '" +
                                      session.credential->name + "' was revoked or changed");
    ended.push_back(id);
  }
  for (const SessionId id : ended) close_session(turn, id);
}

void close_session(Turn& turn, SessionId id) {
  State& state = turn.state;
  const Session* session = state.sessions.find(id);
  if (session == nullptr) return;
  turn.audit(*session, "session_closed");
  if (session->worker.value() != kNoSlot && state.workers[session->worker].session == id) {
    detach_worker(turn, session->worker);
  }
  stop_follows(state, *session);
  for (const auto& [workflow, upload] : session->partial_workflows) {
    state.memory.exchange(upload.held_bytes(), 0);
  }
  state.watches.drop(id);
  turn.effects.session_changes.push_back({id, std::nullopt, false});
  state.sessions.close(id);
}

}  // namespace taskpipe::broker
