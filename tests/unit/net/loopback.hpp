// What the tests of sockets share: short reconnects, waiting with a deadline, raw peers.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <zmq.hpp>

#include "common/net/poll_loop.hpp"
#include "common/net/socket.hpp"

namespace taskpipe::net::testing {

// Far beyond what anything here takes; only a failing test gets there.
inline constexpr std::chrono::seconds kDeadline{20};

[[nodiscard]] inline SocketTuning quick_tuning() {
  SocketTuning tuning;
  tuning.reconnect_first_ms = 20;
  tuning.reconnect_max_ms = 20;
  return tuning;
}

// Waits on one socket until `done` returns true, false at the deadline. `done` is tried first, and
// again at least every 10 ms, since it may look at something else than the socket.
inline bool wait_until(zmq::socket_t& socket, const std::function<bool()>& done) {
  Poller poller;
  poller.add(socket);
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    poller.wait(Millis(10));
  }
  return true;
}

template <class Socket, class Message>
bool receive_soon(Socket& socket, Message& out) {
  return wait_until(socket.native(), [&] { return socket.receive(out); });
}

// The dealer's probe leaves only when its owner touches it, so both sides turn.
inline bool receive_probe(RouterSocket& router, DealerSocket& dealer, ReceivedMessage& out) {
  ReceivedMessage ignored;
  return wait_until(router.native(),
                    [&] {
                      EXPECT_FALSE(dealer.receive(ignored));
                      return router.receive(out);
                    }) &&
         out.is_probe();
}

[[nodiscard]] inline protocol::EncodedMessage ping(std::uint64_t t) {
  return *protocol::encode(Ping{t}, Correlation(t), SessionId(1));
}

[[nodiscard]] inline std::uint64_t ping_time(const ReceivedMessage& message) {
  const auto decoded = protocol::decode(message.frames());
  if (!decoded || !std::holds_alternative<Ping>(decoded->message)) return 0;
  return std::get<Ping>(decoded->message).t;
}

// A peer that follows no rule.
[[nodiscard]] inline zmq::socket_t raw_peer(Context& context, zmq::socket_type type,
                                            const std::string& endpoint) {
  zmq::socket_t socket(context.native(), type);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::reconnect_ivl, 20);
  socket.connect(endpoint);
  return socket;
}

}  // namespace taskpipe::net::testing
