#include "broker/core/broker_core.hpp"

#include <type_traits>
#include <utility>
#include <variant>

#include "broker/core/authority.hpp"
#include "broker/core/changes.hpp"
#include "broker/core/fold.hpp"
#include "broker/core/handlers.hpp"
#include "broker/core/invariants.hpp"
#include "broker/core/memory.hpp"

namespace taskpipe::broker {
namespace {

// A message of an admitted session, which may send it.
struct MessageHandler {
  Turn& turn;
  Session& session;
  Correlation correlation;
  bool resend;

  void operator()(Ping& m) const {
    turn.effects.sends.push_back(
        {session.peer, session.id, correlation, Pong{m.t, turn.state.epoch}, Lsn{}});
  }
  void operator()(Bye&) const { close_session(turn, session.id); }
  void operator()(ErrorReply& m) const {
    if (on_fetch_refused(turn, session, correlation, m)) return;
    turn.note(NoteLevel::warning, "'" + session.name + "' reports: " + m.error.text);
  }

  void operator()(Submit& m) const { on_submit(turn, session, correlation, resend, std::move(m)); }
  void operator()(SubmitWorkflow& m) const {
    on_submit_workflow(turn, session, correlation, resend, std::move(m));
  }
  void operator()(Wait& m) const { on_wait(turn, session, correlation, m); }
  void operator()(Query& m) const { on_query(turn, session, correlation, m); }
  void operator()(Resubmit& m) const {
    serving([&] { on_resubmit(turn, session, correlation, std::move(m)); });
  }
  void operator()(Cancel& m) const {
    serving([&] { on_cancel(turn, session, correlation, m); });
  }
  void operator()(Fetch& m) const {
    serving([&] { on_fetch(turn, session, correlation, m); });
  }
  void operator()(ToolsRequest& m) const { on_tools(turn, session, correlation, m); }
  void operator()(WorkersRequest& m) const { on_workers(turn, session, correlation, m); }
  void operator()(HealthRequest&) const { on_health(turn, session, correlation); }
  void operator()(Watch& m) const { on_watch(turn, session, correlation, m); }
  void operator()(WatchCredit& m) const { on_watch_credit(turn, session, correlation, m); }
  void operator()(Snapshot& m) const { on_snapshot(turn, session, correlation, m); }

  void operator()(Credit& m) const { on_credit(turn, session, m); }
  void operator()(TasksAck& m) const { on_tasks_ack(turn, session, m); }
  void operator()(Returned& m) const { on_returned(turn, session, m); }
  void operator()(Started& m) const { on_started(turn, session, m); }
  void operator()(Progress& m) const { on_progress(turn, session, m); }
  void operator()(Log& m) const { on_log(turn, session, m); }
  void operator()(Result& m) const { on_result(turn, session, correlation, m); }
  void operator()(Drained& m) const { on_drained(turn, session, m); }
  void operator()(Chunk& m) const { on_chunk(turn, session, correlation, std::move(m)); }

  // Everything else is the broker's to say, and nobody may.
  template <class Other>
  void operator()(Other&) const {}

 private:
  // What needs workers or makes records.
  template <class Body>
  void serving(Body body) const {
    if (turn.state.read_only.empty()) return body();
    turn.refuse(session, correlation, ErrorCode::storage, turn.state.read_only);
  }
};

struct LookupResumer {
  Turn& turn;
  command::LookupAnswered& answer;

  void operator()(lookup::Submitting& w) const { resume_submit(turn, w, answer.tasks); }
  void operator()(lookup::SubmittingWorkflow& w) const { resume_submit(turn, w, answer.workflows); }
  void operator()(lookup::Waiting& w) const { resume_wait(turn, w, answer.tasks); }
  void operator()(lookup::WaitingWorkflows& w) const { resume_wait(turn, w, answer.workflows); }
  void operator()(lookup::Querying& w) const { resume_query(turn, w, answer); }
  void operator()(lookup::Resubmitting& w) const { resume_resubmit(turn, w, answer.tasks); }
  void operator()(lookup::Cancelling& w) const { resume_cancel(turn, w, answer); }
  void operator()(lookup::Fetching& w) const { resume_fetch(turn, w, answer.tasks); }
};

void on_topic(Turn& turn, const std::string& topic) {
  State& state = turn.state;
  if (state.events.anyone()) {
    publish_changes(state);  // what came before it is not for the new subscriber
  } else {
    begin_publishing(state);
  }
  state.events.subscribe(topic);
  // A subscription to one task is answered with its present state at once.
  constexpr std::string_view kPrefix = "id.";
  if (!topic.starts_with(kPrefix) || !topic.ends_with('.')) return;
  const auto id = TaskId::parse(
      std::string_view(topic).substr(kPrefix.size(), topic.size() - kPrefix.size() - 1));
  if (!id) return;
  const TaskSlot slot = state.tasks.find(*id);
  if (slot.value() == kNoSlot) return;
  state.events.task_snapshot(task_event(state, slot, turn.now.wall), state.last_lsn);
}

std::string denial(const Session& session) {
  if (!session.credential) return "this peer may not send this message";
  return "a key of role " + std::string(name_of(session.role)) + " may not send this message";
}

void on_shutdown(Turn& turn) {
  turn.state.shutting_down = true;
  for (auto& [id, session] : turn.state.sessions.all()) {
    turn.send(session, Correlation{}, Bye{"the broker is shutting down"});
  }
}

struct CommandHandler {
  Turn& turn;

  void operator()(command::PeerProbed& c) const { on_probe(turn, c.peer); }
  void operator()(command::MessageReceived& c) const {
    if (auto* hello = std::get_if<Hello>(&c.message)) {
      on_hello(turn, c.peer, c.correlation, *hello, c.credential);
      return;
    }
    Session* session = admit(turn, c.peer, c.session);
    if (session == nullptr) return;
    if (!may(session->role, deed_of(c.message))) {
      turn.refuse(*session, c.correlation, ErrorCode::denied, denial(*session), "type");
      return;
    }
    std::visit(MessageHandler{turn, *session, c.correlation, c.resend}, c.message);
  }
  void operator()(command::MalformedReceived& c) const { on_malformed(turn, c); }
  void operator()(command::PeerUnreachable& c) const { on_unreachable(turn, c.peer); }
  void operator()(command::TopicSubscribed& c) const { on_topic(turn, c.topic); }
  void operator()(command::TopicUnsubscribed& c) const { turn.state.events.unsubscribe(c.topic); }
  void operator()(command::TopicsForgotten&) const { turn.state.events.forget_subscribers(); }
  void operator()(command::KeysRevoked& c) const { on_keys_revoked(turn, c.keys); }
  void operator()(command::LookupAnswered& c) const {
    auto found = turn.state.lookups.extract(c.ticket);
    if (found.empty()) return;
    turn.state.memory.exchange(memory_of(found.mapped()), 0);
    std::visit(LookupResumer{turn, c}, found.mapped());
  }
  void operator()(command::HistoryReady& c) const { on_history_ready(turn, c); }
  void operator()(command::HistoryCommitted& c) const { on_history_committed(turn, c.watermark); }
  void operator()(command::CarryForward& c) const { on_carry_forward(turn, c); }
  void operator()(command::StorageState& c) const {
    turn.state.accepts_submits = c.accepts_submits;
    turn.state.journal_bytes = c.journal_bytes;
  }
  void operator()(command::HeldOutside& c) const { turn.state.memory.set_outside(c.bytes); }
  void operator()(command::BlobsAsked& c) const { on_blobs_asked(turn, std::move(c)); }
  void operator()(command::LoopStalled& c) const { on_stall(turn, c.duration); }
  void operator()(command::TurnEnded&) const {
    fire_timers(turn);
    fire_alarms(turn);
    finish_doomed(turn);
    place_tasks(turn);
    arm_tasks(turn);
    flush_done(turn);
    forget_archived(turn);
    watch_memory(turn);
    publish_changes(turn.state);
    serve_watches(turn);
    turn.state.events.flush(turn.state.epoch, turn.state.last_lsn, turn.effects.events);
  }
  void operator()(command::ShutdownRequested&) const { on_shutdown(turn); }
};

}  // namespace

BrokerCore::BrokerCore(BrokerConfig config) : state_(std::make_unique<State>(std::move(config))) {}

BrokerCore::~BrokerCore() = default;

void BrokerCore::replay(const Record& record, Lsn lsn) {
  // What the journal no longer has cannot be told.
  if (state_->last_lsn.value() == 0) state_->event_log.uncovered(Lsn(lsn.value() - 1));
  state_->last_lsn = lsn;
  if (const auto* submitted = std::get_if<record::TasksSubmitted>(&record)) {
    for (const auto& item : submitted->items) state_->tasks.prefetch(item.id);
  }
  fold(*state_, record, lsn);
}

void BrokerCore::apply(Command command, const Now& now, Effects& effects) {
  Turn turn{*state_, now, effects};
  std::visit(CommandHandler{turn}, command);
}

std::optional<MonotonicTime> BrokerCore::next_deadline() const {
  const bool more_to_place = !state_->dirty_workers.empty() || !state_->fresh_signatures.empty();
  if (more_to_place || has_archived(*state_)) return MonotonicTime{};
  if (state_->watches.unfinished_since) return state_->watches.unfinished_since;
  std::optional<MonotonicTime> earliest;
  if (!state_->timers.empty()) earliest = state_->timers.top().at;
  if (!state_->alarms.empty() && (!earliest || state_->alarms.begin()->first < *earliest)) {
    earliest = state_->alarms.begin()->first;
  }
  return earliest;
}

Lsn BrokerCore::oldest_needed() const { return broker::oldest_needed(*state_); }
Lsn BrokerCore::last_lsn() const { return state_->last_lsn; }
Epoch BrokerCore::epoch() const { return state_->epoch; }
std::size_t BrokerCore::tasks_held() const { return state_->tasks.size(); }
std::size_t BrokerCore::tasks_ended() const { return state_->ended_tasks.size(); }
std::uint64_t BrokerCore::live_bytes() const { return state_->live_bytes; }
std::uint64_t BrokerCore::placement_looks() const { return state_->placement_looks; }
std::size_t BrokerCore::signatures_held() const { return state_->signatures.in_use(); }
std::uint64_t BrokerCore::memory_bytes() const { return state_->memory.bytes(); }

std::optional<std::string> BrokerCore::check_invariants() const {
  return broker::check_invariants(*state_);
}

}  // namespace taskpipe::broker
