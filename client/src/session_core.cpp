#include "client/src/session_core.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "client/src/call_errors.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::client {
namespace {

// Deliveries may be merged into the last one there is, so that one counts as new as well.
std::size_t first_new(const Effects& out) {
  return out.deliveries.empty() ? 0 : out.deliveries.size() - 1;
}

void earlier_of(std::optional<MonotonicTime>& best, std::optional<MonotonicTime> other) {
  if (other && (!best || *other < *best)) best = other;
}

}  // namespace

SessionCore::SessionCore(SessionConfig config, std::uint64_t seed)
    : config_(std::move(config)),
      jitter_(seed),
      link_(config_.hello, correlations_, jitter_),
      waits_(correlations_),
      submits_(correlations_, jitter_, waits_),
      uploads_(correlations_, jitter_),
      requests_(correlations_),
      logs_(correlations_),
      watches_(correlations_) {}

struct SessionCore::Start {
  SessionCore& core;
  CallId call;
  Effects& out;

  void operator()(command::Connect&&) const {
    if (core.link_.ready()) {
      out.deliver(call, delivery::Connected{core.link_.welcome()}, true);
    } else {
      core.connects_.push_back(call);
    }
  }
  void operator()(command::SubmitTasks&& submit) const {
    core.submits_.add(call, std::move(submit.tasks));
  }
  void operator()(command::RunTasks&& run) const {
    std::vector<TaskId> ids;
    ids.reserve(run.tasks.size());
    for (const PreparedTask& task : run.tasks) ids.push_back(task.id);
    core.waits_.add_run(call, std::move(ids));
    core.submits_.add_run(call, std::move(run.tasks));
  }
  void operator()(command::UploadWorkflow&& upload) const {
    core.uploads_.add(call, std::move(upload));
  }
  void operator()(command::AwaitTasks&& wait) const { core.waits_.add(call, std::move(wait.ids)); }
  void operator()(command::AwaitWorkflow&& wait) const { core.waits_.add(call, wait.id); }
  void operator()(command::Ask&& ask) const { core.requests_.add(call, std::move(ask.request)); }
  void operator()(command::ReadLog&& read) const {
    if (core.logs_.add(call, read)) return;
    out.fail(call, refused(Error{ErrorCode::busy,
                                 "this client is reading that log already; end the other reader",
                                 "stream"}));
  }
  void operator()(command::Watch&& watch) const { core.watches_.add(call, std::move(watch)); }
};

void SessionCore::begin(CallStart start, MonotonicTime now, Effects& out) {
  if (closed_) return out.fail(start.id, *closed_);
  const std::size_t from = first_new(out);
  const bool alone = calls_.empty();
  calls_.add(start, now);
  std::visit(Start{*this, start.id, out}, std::move(start.command));
  link_.want(alone, now, out);
  settle(from, out);
}

void SessionCore::forget(CallId call) {
  const CallTable::Call* found = calls_.find(call);
  if (found == nullptr) return;
  switch (found->kind) {
    case CallTable::Kind::connect: std::erase(connects_, call); break;
    case CallTable::Kind::submit: submits_.forget(call); break;
    case CallTable::Kind::run:
      submits_.forget(call);
      waits_.forget(call);
      break;
    case CallTable::Kind::workflow: uploads_.forget(call); break;
    case CallTable::Kind::wait: waits_.forget(call); break;
    case CallTable::Kind::ask: requests_.forget(call); break;
    case CallTable::Kind::log: logs_.forget(call); break;
    case CallTable::Kind::watch: watches_.forget(call); break;
  }
  calls_.erase(call);
}

void SessionCore::abort(CallId call, ClientError why, Effects& out) {
  fail({{call, std::move(why)}}, out);
}

void SessionCore::log_consumed(CallId call, std::size_t bytes) { logs_.consumed(call, bytes); }

void SessionCore::watch_report(CallId call, const WatchReport& report) {
  watches_.report(call, report);
}

// Answers count only in the session that they were made for: whatever is open was asked anew in the
// next one, and credit of another session must not be mixed in.
struct SessionCore::Receive {
  SessionCore& core;
  const Received& header;
  MonotonicTime now;
  Effects& out;

  [[nodiscard]] bool current() const {
    return core.link_.ready() && header.session == core.link_.session();
  }

  void operator()(Who&&) const { core.on_news(core.link_.on_who(now, out), now, out); }
  void operator()(Welcome&& welcome) const {
    core.on_news(core.link_.on_welcome(welcome, now, out), now, out);
  }
  void operator()(Pong&&) const {}  // counts as a sign of life, like everything else
  void operator()(Bye&& bye) const {
    core.on_news(core.link_.on_bye(header.session, bye, now), now, out);
  }
  void operator()(ErrorReply&& reply) const {
    const bool before_welcome = header.session == SessionId{};
    if (current() || before_welcome) core.route_error(header.correlation, reply.error, now, out);
  }
  void operator()(SubmitAck&& ack) const {
    if (current()) core.submits_.on_ack(header.correlation, ack, now, out);
  }
  void operator()(WorkflowAck&& ack) const {
    if (current()) core.uploads_.on_ack(header.correlation, ack, now, out);
  }
  void operator()(Done&& done) const {
    if (current()) core.waits_.on_done(std::move(done), out);
  }
  void operator()(Chunk&& chunk) const {
    if (!current()) return;
    const auto call = core.logs_.on_chunk(header.correlation, std::move(chunk), out);
    if (call) core.calls_.renew(*call, now);
  }
  void operator()(Events&& events) const {
    if (!current() || core.watches_.on_events(header.correlation, std::move(events), out)) return;
    unexpected();
  }
  void operator()(Snap&& snap) const {
    if (!current() || core.watches_.on_snap(header.correlation, std::move(snap), out)) return;
    unexpected();
  }
  template <class Reply>
  void operator()(Reply&& reply) const {
    if (!current()) return;
    Message answer(std::forward<Reply>(reply));
    if (core.requests_.on_reply(header.correlation, std::move(answer), now, out)) return;
    unexpected();
  }
  void unexpected() const {
    core.on_malformed(
        header, Error{ErrorCode::malformed, "the answer is not of the kind asked for", "type"}, now,
        out);
  }
};

void SessionCore::on_message(const Received& header, Message&& message, MonotonicTime now,
                             Effects& out) {
  if (closed_) return;
  const std::size_t from = first_new(out);
  if (link_.ready() && header.session == link_.session()) link_.heard(now);
  std::visit(Receive{*this, header, now, out}, std::move(message));
  settle(from, out);
}

void SessionCore::on_malformed(const std::optional<Received>& header, const Error& error,
                               MonotonicTime now, Effects& out) {
  if (closed_ || link_.state() == Link::State::idle) return;
  const std::size_t from = first_new(out);
  if (error.code == ErrorCode::version && !link_.ready()) {
    on_news(link_.on_error(error, now, out), now, out);
  } else if (++malformed_ > limits::kMaxMalformedPerSession) {
    malformed_ = 0;
    link_.reopen(now, out);
  } else if (header && link_.ready() && header->session == link_.session()) {
    Error unreadable{ErrorCode::malformed, "the broker's answer cannot be read: " + error.text,
                     error.field};
    const RequestKind kind = CorrelationSource::kind_of(header->correlation);
    // What is resent until acknowledged may get a readable answer the next time.
    if (kind != RequestKind::submit && kind != RequestKind::workflow &&
        kind != RequestKind::session) {
      route_error(header->correlation, unreadable, now, out);
    }
  }
  settle(from, out);
}

void SessionCore::on_unsendable(MonotonicTime now, Effects& out) {
  if (link_.ready() || link_.state() == Link::State::greeting) link_.reopen(now, out);
}

void SessionCore::on_unconnectable(const Error& error, MonotonicTime now, Effects& out) {
  if (link_.ever_ready()) {
    link_.retry_later(now);
    return;
  }
  link_.give_up(out);
  fail_all(refused(error), out);
}

void SessionCore::on_refused_handshake(const Error& error, Effects& out) {
  link_.give_up(out);
  Error told = error;
  told.text = "the broker at " + config_.broker + ": " + error.text;
  fail_all(refused(std::move(told)), out);
}

void SessionCore::on_unencodable(Correlation correlation, const Error& error, MonotonicTime now,
                                 Effects& out) {
  const std::size_t from = first_new(out);
  if (CorrelationSource::kind_of(correlation) == RequestKind::session) {
    on_news(link_.on_error(error, now, out), now, out);
  } else {
    route_error(correlation, error, now, out);
  }
  settle(from, out);
}

void SessionCore::route_error(Correlation correlation, const Error& error, MonotonicTime now,
                              Effects& out) {
  const RequestKind kind = CorrelationSource::kind_of(correlation);
  const bool about_session = kind == RequestKind::session || correlation == Correlation{} ||
                             !link_.ready() || error.code == ErrorCode::not_registered ||
                             error.code == ErrorCode::stale_epoch ||
                             error.code == ErrorCode::version;
  if (about_session) return on_news(link_.on_error(error, now, out), now, out);
  switch (kind) {
    case RequestKind::session: break;
    case RequestKind::submit: submits_.on_error(correlation, error, now, out); break;
    case RequestKind::workflow: uploads_.on_error(correlation, error, now, out); break;
    case RequestKind::wait: waits_.on_error(correlation, error, now, out); break;
    case RequestKind::ask: requests_.on_error(correlation, error, now, out); break;
    case RequestKind::log: logs_.on_error(correlation, error, now, out); break;
    case RequestKind::watch: watches_.on_error(correlation, error, now, out); break;
  }
}

void SessionCore::on_news(Link::News news, MonotonicTime now, Effects& out) {
  switch (news) {
    case Link::News::none: break;
    case Link::News::session_began: on_session_began(now, out); break;
    case Link::News::refused: {
      Error error = link_.refusal();
      error.text = "the broker at " + config_.broker + " refused the connection: " + error.text;
      fail_all(refused(std::move(error)), out);
      break;
    }
    case Link::News::replaced: close(closed(link_.refusal().text), out); break;
  }
}

void SessionCore::on_session_began(MonotonicTime now, Effects& out) {
  malformed_ = 0;
  const Welcome& welcome = link_.welcome();
  submits_.on_welcome(welcome, now);
  uploads_.on_welcome(welcome);
  requests_.on_welcome();
  waits_.on_welcome();
  logs_.on_welcome();
  watches_.on_welcome(welcome);
  for (const CallId call : connects_) out.deliver(call, delivery::Connected{welcome}, true);
  connects_.clear();
}

void SessionCore::end_turn(MonotonicTime now, Effects& out) {
  const std::size_t from = first_new(out);
  link_.tick(now, out);
  expire(now, out);
  if (link_.ready()) {
    const SessionId session = link_.session();
    // Submits before waits: who waits for what was just submitted must not be told "unknown".
    submits_.flush(now, session, out);
    uploads_.flush(now, session, out);
    requests_.flush(now, session, out);
    waits_.flush(now, session, out);
    logs_.flush(now, session, out);
    watches_.flush(now, session, out);
  }
  settle(from, out);
}

void SessionCore::expire(MonotonicTime now, Effects& out) {
  std::unordered_map<CallId, ClientError> failed;
  std::unordered_map<CallId, ClientError> unanswered;  // of runs: what was accepted goes on
  for (const CallId id : calls_.expired(now)) {
    const CallTable::Call& call = *calls_.find(id);
    ClientError why = timed_out(CallTable::subject_of(call), *call.timeout);
    if (const auto refusal = held_back(id, call)) {
      why = client::held_back(std::move(why), *refusal);
    }
    (call.submitting ? unanswered : failed).emplace(id, std::move(why));
  }
  if (!link_.ever_ready()) {
    const MonotonicTime begun = now + -std::chrono::nanoseconds(config_.connect_timeout);
    for (const CallId id : calls_.begun_until(begun)) {
      failed.insert_or_assign(id, unreachable(config_.broker, config_.connect_timeout));
    }
  }
  if (!unanswered.empty()) {
    const std::size_t from = first_new(out);
    submits_.fail(unanswered, out);
    settle(from, out);
  }
  if (!failed.empty()) fail(failed, out);
}

std::optional<Error> SessionCore::held_back(CallId id, const CallTable::Call& call) const {
  if (call.kind == CallTable::Kind::submit || call.submitting) return submits_.held_back();
  if (call.kind == CallTable::Kind::workflow) return uploads_.held_back(id);
  return std::nullopt;
}

void SessionCore::fail(const std::unordered_map<CallId, ClientError>& calls, Effects& out) {
  const std::size_t from = first_new(out);
  bool any_submit = false;
  std::vector<CallId> ids;
  ids.reserve(calls.size());
  for (const auto& [id, why] : calls) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  for (const CallId id : ids) {
    const CallTable::Call* call = calls_.find(id);
    if (call == nullptr) continue;
    switch (call->kind) {
      case CallTable::Kind::submit: any_submit = true; break;
      case CallTable::Kind::run:
        any_submit = any_submit || call->submitting;
        waits_.fail_run(id, calls.at(id), out);
        break;
      case CallTable::Kind::workflow: uploads_.fail(id, calls.at(id), out); break;
      default: forget(id); out.fail(id, calls.at(id));
    }
  }
  if (any_submit) submits_.fail(calls, out);
  settle(from, out);
}

void SessionCore::fail_all(const ClientError& why, Effects& out) {
  std::unordered_map<CallId, ClientError> all;
  for (const CallId id : calls_.all()) all.emplace(id, why);
  if (!all.empty()) fail(all, out);
}

void SessionCore::close(ClientError why, Effects& out) {
  if (closed_) return;
  closed_ = std::move(why);
  fail_all(*closed_, out);
  out.socket = SocketChange::close;
}

void SessionCore::settle(std::size_t from, const Effects& out) {
  for (const CallId run : submits_.take_submitted_runs()) calls_.submitted(run);
  for (std::size_t i = from; i < out.deliveries.size(); ++i) {
    if (out.deliveries[i].last) calls_.erase(out.deliveries[i].call);
  }
}

std::optional<MonotonicTime> SessionCore::next_deadline() const {
  std::optional<MonotonicTime> next = link_.next_deadline();
  earlier_of(next, calls_.next_deadline());
  if (!link_.ever_ready()) {
    const auto oldest = calls_.oldest_beginning();
    if (oldest) earlier_of(next, *oldest + config_.connect_timeout);
  }
  if (link_.ready()) {
    earlier_of(next, submits_.next_deadline());
    earlier_of(next, uploads_.next_deadline());
    earlier_of(next, requests_.next_deadline());
    earlier_of(next, waits_.next_deadline());
    earlier_of(next, logs_.next_deadline());
    earlier_of(next, watches_.next_deadline());
  }
  return next;
}

}  // namespace taskpipe::client
