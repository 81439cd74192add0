#include "client/src/link.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::client {
namespace {

constexpr Millis kReopenAfter{1000};  // of an attempt that failed, or after BYE

}  // namespace

Millis Link::lease() const {
  return Millis(welcome_.lease_ms > 0 ? welcome_.lease_ms : limits::kLeaseMs);
}

void Link::want(bool alone, MonotonicTime now, Effects& out) {
  if (state_ == State::idle) {
    reopen(now, out);
  } else if (state_ == State::connecting && alone && now - opened_at_ >= kReopenAfter) {
    reopen(now, out);
  }
}

void Link::reopen(MonotonicTime now, Effects& out) {
  state_ = State::connecting;
  opened_at_ = now;
  silent_at_ = now + lease();
  hellos_ = 0;
  unanswered_ = 0;
  out.socket = SocketChange::open;
  out.sends.clear();  // they belong to the connection that is given up; all are made again
}

void Link::say_hello(MonotonicTime now, Effects& out) {
  if (state_ != State::greeting) hellos_ = 0;
  state_ = State::greeting;
  hello_at_ = now;
  hello_due_ = now + jitter_.backoff(Millis(limits::kHelloRetryMs), hellos_++, lease());
  ++unanswered_;
  out.sends.push_back(Outgoing{hello_, correlations_.next(RequestKind::session), SessionId{}});
}

Link::News Link::on_who(MonotonicTime now, Effects& out) {
  switch (state_) {
    case State::idle: return News::none;
    case State::greeting:
      // Each message of a lost session is answered by a WHO: one HELLO is enough for all of them.
      if (now - hello_at_ < Millis(limits::kHelloRetryMs)) return News::none;
      break;
    case State::connecting:
    case State::ready: break;
  }
  silent_at_ = now + lease();
  say_hello(now, out);
  return News::none;
}

Link::News Link::on_welcome(const Welcome& welcome, MonotonicTime now, Effects& out) {
  if (state_ != State::greeting && state_ != State::ready) return News::none;
  if (state_ == State::ready && welcome.session == welcome_.session) return News::none;
  if (welcome.version < hello_.version_min || welcome.version > hello_.version_max) {
    return refuse(Error{ErrorCode::version,
                        "the broker chose protocol version " + std::to_string(welcome.version) +
                            ", which this client does not speak; install matching versions",
                        "version"},
                  out);
  }
  if (unanswered_ > 0) --unanswered_;
  welcome_ = welcome;
  if (welcome_.heartbeat_ms == 0) welcome_.heartbeat_ms = limits::kHeartbeatMs;
  hello_.last_epoch = welcome.epoch;
  state_ = State::ready;
  heard(now);
  ping_due_ = now + Millis(welcome_.heartbeat_ms);
  out.welcome = welcome_;
  return News::session_began;
}

Link::News Link::on_error(const Error& error, MonotonicTime now, Effects& out) {
  if (state_ == State::idle) return News::none;
  switch (error.code) {
    case ErrorCode::not_registered:
    case ErrorCode::stale_epoch: return on_who(now, out);
    case ErrorCode::busy:
    case ErrorCode::flow:
    case ErrorCode::storage:
    case ErrorCode::shutting_down: {
      const MonotonicTime later = now + Millis(error.retry_ms.value_or(limits::kBusyRetryMs));
      hello_due_ = std::max(hello_due_, later);
      silent_at_ = std::max(silent_at_, later + lease());
      return News::none;
    }
    default: break;
  }
  // In an established session only these two concern it as a whole.
  if (state_ == State::ready && error.code != ErrorCode::version &&
      error.code != ErrorCode::denied) {
    return News::none;
  }
  return refuse(error, out);
}

Link::News Link::refuse(Error error, Effects& out) {
  refusal_ = std::move(error);
  give_up(out);
  return News::refused;
}

Link::News Link::on_bye(SessionId session, const Bye& bye, MonotonicTime now) {
  if (state_ != State::ready || session != welcome_.session) return News::none;
  // A HELLO of our own that was repeated replaces its forerunner: that is not another process.
  if (bye.reason == "replaced" && unanswered_ == 0) {
    refusal_ =
        Error{ErrorCode::denied, "another process has taken over this client's identity", {}};
    return News::replaced;
  }
  retry_later(now);
  return News::none;
}

void Link::retry_later(MonotonicTime now) {
  state_ = State::connecting;
  silent_at_ = now + jitter_.backoff(kReopenAfter, 0, kReopenAfter);
}

void Link::give_up(Effects& out) {
  state_ = State::idle;
  out.socket = SocketChange::close;
  out.sends.clear();
}

void Link::heard(MonotonicTime now) { silent_at_ = std::max(silent_at_, now + lease()); }

void Link::tick(MonotonicTime now, Effects& out) {
  if (state_ == State::idle) return;
  if (now >= silent_at_) return reopen(now, out);
  if (state_ == State::greeting && now >= hello_due_) return say_hello(now, out);
  if (state_ == State::ready && now >= ping_due_) {
    ping_due_ = now + Millis(welcome_.heartbeat_ms);
    const auto t = static_cast<std::uint64_t>(now.since_start.count());
    out.sends.push_back(
        Outgoing{Ping{t}, correlations_.next(RequestKind::session), welcome_.session});
  }
}

std::optional<MonotonicTime> Link::next_deadline() const {
  switch (state_) {
    case State::idle: return std::nullopt;
    case State::connecting: return silent_at_;
    case State::greeting: return std::min(silent_at_, hello_due_);
    case State::ready: return std::min(silent_at_, ping_due_);
  }
  return std::nullopt;
}

}  // namespace taskpipe::client
