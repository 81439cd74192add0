// The session with the broker: greeting, liveness, and when to begin anew.
//
//   idle ──want──▶ connecting ──WHO──▶ greeting ──WELCOME──▶ ready
//     ▲                ▲                   ▲                    │
//     │                └──silence, BYE─────┼────────────────────┤
//     └──refused (VERSION, DENIED, …)      └──WHO, ERROR────────┘ (the broker forgot us)
//
// The peer never speaks first: the socket's probe makes the broker say WHO. HELLO is repeated when
// it stays unanswered, because a connection may break right after it was queued. A pure state
// machine: time is an argument, what to send and whether to reconnect are effects.
#pragma once

#include <cstdint>
#include <optional>

#include "client/src/backoff.hpp"
#include "client/src/correlation.hpp"
#include "client/src/delivery.hpp"
#include "common/model/messages.hpp"
#include "common/model/time.hpp"

namespace taskpipe::client {

class Link {
 public:
  enum class State : std::uint8_t { idle, connecting, greeting, ready };
  // What a message meant to the link. `error` is set with refused and replaced.
  enum class News : std::uint8_t { none, session_began, refused, replaced };

  Link(Hello hello, CorrelationSource& correlations, Jitter& jitter)
      : hello_(std::move(hello)), correlations_(correlations), jitter_(jitter) {}

  // A call needs a session. `alone`: no other call is waiting, so that an attempt which has been
  // failing for a while may be replaced by a fresh one, which tries at once.
  void want(bool alone, MonotonicTime now, Effects& out);

  News on_who(MonotonicTime now, Effects& out);
  News on_welcome(const Welcome& welcome, MonotonicTime now, Effects& out);
  // ERROR that concerns the session rather than a request.
  News on_error(const Error& error, MonotonicTime now, Effects& out);
  News on_bye(SessionId session, const Bye& bye, MonotonicTime now);
  // Anything valid of the present session.
  void heard(MonotonicTime now);

  // The connection is not usable: begin anew at once.
  void reopen(MonotonicTime now, Effects& out);
  // The connection could not even be begun: try it again in a while, or not before the next `want`.
  void retry_later(MonotonicTime now);
  void give_up(Effects& out);
  void tick(MonotonicTime now, Effects& out);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool ready() const { return state_ == State::ready; }
  [[nodiscard]] bool ever_ready() const { return hello_.last_epoch.has_value(); }
  [[nodiscard]] SessionId session() const { return welcome_.session; }
  // Of the present session, or the last one.
  [[nodiscard]] const Welcome& welcome() const { return welcome_; }
  // Why the link went idle, or was replaced.
  [[nodiscard]] const Error& refusal() const { return refusal_; }

 private:
  void say_hello(MonotonicTime now, Effects& out);
  News refuse(Error error, Effects& out);
  [[nodiscard]] Millis lease() const;

  Hello hello_;
  CorrelationSource& correlations_;
  Jitter& jitter_;
  State state_ = State::idle;
  Welcome welcome_;
  Error refusal_;
  MonotonicTime opened_at_{};
  MonotonicTime silent_at_{};  // the connection is given up when nothing is heard until then
  MonotonicTime hello_at_{};   // of the last HELLO
  MonotonicTime hello_due_{};  // of the next one, while greeting
  MonotonicTime ping_due_{};
  std::uint32_t hellos_ = 0;      // since the connection was opened or the session was lost
  std::uint32_t unanswered_ = 0;  // HELLOs on this connection that no WELCOME has answered
};

}  // namespace taskpipe::client
