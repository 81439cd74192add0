// The session: handshake, liveness, reconciliation.
#include <algorithm>
#include <utility>

#include "common/model/features.hpp"
#include "common/model/limits.hpp"
#include "worker/core/worker_core.hpp"

namespace taskpipe::worker {

void WorkerCore::on_message(const Who&, Correlation, Turn turn) {
  if (link_.established()) {
    note(turn, NoteLevel::warning, "the broker does not know this session (any more)");
  }
  link_.on_who();
}

void WorkerCore::drive_link(Turn turn) {
  const MonotonicTime now = turn.now.monotonic;
  const bool was_established = link_.established();
  for (;;) {
    switch (link_.next_action(now)) {
      case Link::Action::none: return;
      case Link::Action::open_socket:
        if (was_established) {
          note(turn, NoteLevel::warning, "the broker is silent: opening a new connection");
        }
        turn.out.reset_link = true;
        break;
      case Link::Action::say_hello: say_hello(turn); break;
      case Link::Action::ping: ping(turn); break;
    }
  }
}

void WorkerCore::ping(Turn turn) {
  // The time makes a fine name for a PING: it never repeats in the order of sending.
  const auto t = static_cast<std::uint64_t>(turn.now.monotonic.since_start.count());
  logs_.on_ping(t);
  send(turn, Ping{t});
}

// Begins a session from nothing: whatever the broker had sent without hearing of a start it counts
// as never sent, once it sees that HELLO does not list it; so it is forgotten here as well.
void WorkerCore::say_hello(Turn turn) {
  if (attempts_.queued_count() > 0) {
    note(turn, NoteLevel::info,
         "forgot " + std::to_string(attempts_.queued_count()) +
             " tasks that had not started: the broker places them again");
  }
  attempts_.drop_queued();
  ready_.clear();
  credit_.restart();
  logs_.restart();
  malformed_ = 0;

  Hello hello;
  hello.role = Role::worker;
  hello.user = config_.user;
  hello.uuid = config_.uuid;
  hello.incarnation = config_.incarnation;
  hello.name = config_.name;
  hello.host = config_.host;
  hello.pid = config_.pid;
  hello.features = {std::string(kFeatureInputs)};
  hello.last_epoch = link_.last_epoch();
  WorkerOffer offer;
  offer.slots = config_.slots;
  offer.resources = config_.resources;
  offer.tools.reserve(config_.tools.size());
  for (const OfferedTool& tool : config_.tools) offer.tools.push_back(tool.offer);
  offer.labels = config_.labels;
  // What was abandoned without the broker is given to others; at the end DRAINED says so.
  offer.running = phase_ == Phase::stopping ? attempts_.running_keys() : attempts_.wanted_keys();
  offer.unacknowledged = results_.begin_session(turn.now.monotonic);
  // What does not fit is not reconciled, but sent again after a while all the same.
  const std::size_t room = limits::kMaxHelloAttempts - offer.running.size();
  if (offer.unacknowledged.size() > room) offer.unacknowledged.resize(room);
  hello.worker = std::move(offer);
  turn.out.sends.push_back(
      {SessionId{}, link_.hello_correlation(), false, Message(std::move(hello))});
}

void WorkerCore::exit_for_version(Turn turn, const std::string& why) {
  exit(turn, ExitCause::refused,
       "the broker speaks another version of the protocol: " + why +
           "; install the same release on both");
}

void WorkerCore::on_message(const Welcome& welcome, Correlation correlation, Turn turn) {
  // Of several HELLOs only the last one counts: it is the one whose lists the broker has compared.
  if (link_.state() != Link::State::waiting_for_welcome ||
      correlation != link_.hello_correlation()) {
    return;
  }
  if (welcome.version < kProtocolVersionMin || welcome.version > kProtocolVersionMax) {
    exit_for_version(turn, "it chose version " + std::to_string(welcome.version) + ", here are " +
                               std::to_string(kProtocolVersionMin) + "–" +
                               std::to_string(kProtocolVersionMax));
    return;
  }
  link_.on_welcome(welcome, turn.now.monotonic);
  turn.out.session_began = welcome;
  tasks_messages_ = 0;
  note(turn, NoteLevel::info,
       "registered with the broker: session " + std::to_string(welcome.session.value()) +
           ", epoch " + std::to_string(welcome.epoch.value()));
  if (phase_ != Phase::working) send(turn, Drained{false});
}

void WorkerCore::on_message(const Pong& pong, Correlation, Turn) { logs_.on_pong(pong.t); }

void WorkerCore::on_message(const Bye& bye, Correlation, Turn turn) {
  if (bye.reason == "replaced") {
    exit(turn, ExitCause::replaced,
         "another worker has registered with this worker's identity; give each its own work "
         "folder (--work-dir)");
    return;
  }
  note(turn, NoteLevel::warning, "the broker ended the session: " + bye.reason);
  link_.lose(turn.now.monotonic);
}

void WorkerCore::on_message(const ErrorReply& reply, Correlation, Turn turn) {
  const Error& error = reply.error;
  if (error.code == ErrorCode::version) {
    exit_for_version(turn, error.text);
    return;
  }
  if (error.code == ErrorCode::denied && link_.state() == Link::State::waiting_for_welcome) {
    exit(turn, ExitCause::refused, "the broker denied the session: " + error.text);
    return;
  }
  note(turn, NoteLevel::warning,
       "the broker answered " + std::string(name_of(error.code)) + ": " + error.text +
           (error.field.empty() ? "" : " (" + error.field + ")"));
  if (link_.state() == Link::State::waiting_for_welcome) {
    link_.lose(turn.now.monotonic, Millis{error.retry_ms.value_or(0)});
  } else if (error.code == ErrorCode::not_registered) {
    link_.on_who();
  }
}

void WorkerCore::on(const command::LinkRefused& command, Turn turn) {
  exit(turn, ExitCause::refused, command.why);
}

void WorkerCore::on_message(const Reconcile& reconcile, Correlation, Turn turn) {
  // `keep` asks for nothing: what runs goes on running.
  for (const AttemptKey& key : reconcile.kill) kill(key, 0, turn);
  for (const AttemptKey& key : reconcile.resend) results_.resend(key);
  for (const AttemptKey& key : reconcile.drop) dispose(key, results_.forget(key), turn);
}

void WorkerCore::on_message(const Fetch& fetch, Correlation correlation, Turn turn) {
  turn.out.log_reads.push_back(
      {link_.session(), correlation, fetch, attempts_.holds_task(fetch.task)});
}

}  // namespace taskpipe::worker
