// The worker's side of a session: when to open a socket, say HELLO, PING, and give the link up.
//
//   waiting_for_who ──WHO──▶ waiting_for_welcome ──WELCOME──▶ established
//          ▲                        │ patience over                │ silent for a lease, BYE,
//          └────── fresh socket ◀───┴───────────────────────◀──────┘ or not writable
//
// A DEALER reconnects by itself and announces each new connection with a probe, which the broker
// answers with WHO; so a lost connection mends without us. A fresh socket is the remedy for all
// else: a half-open connection, a broker that forgot the probe. Patience doubles from failure to
// failure and is spread by a jitter that depends on the worker only, so that a thousand workers do
// not come back in one instant and a run can still be repeated exactly.
#pragma once

#include <cstdint>
#include <optional>

#include "common/model/ids.hpp"
#include "common/model/messages.hpp"
#include "common/model/time.hpp"

namespace taskpipe::worker {

class Link {
 public:
  enum class State : std::uint8_t { unopened, waiting_for_who, waiting_for_welcome, established };
  enum class Action : std::uint8_t { none, open_socket, say_hello, ping };

  explicit Link(std::uint64_t jitter_seed) : jitter_seed_(jitter_seed) {}

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool established() const { return state_ == State::established; }
  [[nodiscard]] SessionId session() const { return session_; }
  [[nodiscard]] std::optional<Epoch> last_epoch() const { return last_epoch_; }
  [[nodiscard]] Correlation hello_correlation() const { return hello_correlation_; }
  // The broker's last sign of life, in this session or an earlier one; and the lease it gave.
  [[nodiscard]] MonotonicTime last_heard() const { return last_heard_; }
  [[nodiscard]] Millis lease() const { return lease_; }

  // The first socket may be opened.
  void begin(MonotonicTime now);
  // The broker knows no session for this connection. Several WHOs may answer several messages of
  // one lost session; they lead to one HELLO.
  void on_who();
  void on_welcome(const Welcome& welcome, MonotonicTime now);
  // A valid message of the current session: the broker lives.
  void on_life(MonotonicTime now) { last_heard_ = now; }
  // The session is over (BYE, refused HELLO, not writable). Waits for WHO on the socket there is,
  // and for `pause` at least before a fresh one is opened.
  void lose(MonotonicTime now, Millis pause = Millis{0});
  // Asks for a PING in this turn, whatever the time.
  void ping_soon() { ping_wanted_ = established(); }

  // The next thing to do at `now`; call until it says none.
  [[nodiscard]] Action next_action(MonotonicTime now);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;

 private:
  [[nodiscard]] std::optional<MonotonicTime> hello_time() const;
  void begin_patience(MonotonicTime now, Millis at_least);

  std::uint64_t jitter_seed_;
  State state_ = State::unopened;
  SessionId session_;
  std::optional<Epoch> last_epoch_;
  std::uint32_t failures_ = 0;  // since the last WELCOME

  bool open_wanted_ = false;
  bool hello_wanted_ = false;
  bool ping_wanted_ = false;
  Correlation hello_correlation_;
  std::optional<MonotonicTime> last_hello_;
  MonotonicTime patience_until_;

  Millis heartbeat_{0};
  Millis lease_{0};
  MonotonicTime last_heard_;
  MonotonicTime next_ping_;
};

}  // namespace taskpipe::worker
