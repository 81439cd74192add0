// A ROUTER and what the core sees of it: frames become commands, sends become frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "broker/core/command.hpp"
#include "broker/core/effect.hpp"
#include "broker/shell/authenticator.hpp"
#include "common/net/socket.hpp"

namespace taskpipe::broker {

// Client port and worker port are two of these, so that clients can be throttled without starving
// results and leases. One thread.
class PeerPort {
 public:
  // With `authenticator`, which outlives it, only peers whose key it admits.
  PeerPort(net::Context& context, Port port, const Authenticator* authenticator = nullptr);

  [[nodiscard]] tl::expected<void, Error> bind(const std::string& endpoint);
  [[nodiscard]] std::string endpoint() const { return socket_.endpoint(); }
  [[nodiscard]] zmq::socket_t& native() { return socket_.native(); }

  // Up to `most` waiting messages as commands; returns how many there were.
  std::size_t drain(std::size_t most, std::vector<Command>& out);

  // Nothing, or what the core must be told: that the peer is gone or its queue full, so that its
  // session is dead; or that tasks could not be put into a message, in words of their worker.
  [[nodiscard]] std::optional<Command> deliver(const Send& send);

  // Handed to libzmq for peers, not on the network yet.
  [[nodiscard]] std::uint64_t queued_bytes() const { return socket_.queued_bytes(); }

  // Messages that were no messages, since the start.
  [[nodiscard]] std::uint64_t malformed() const { return malformed_; }

 private:
  [[nodiscard]] Command to_command();

  Port port_;
  const Authenticator* authenticator_;
  net::RouterSocket socket_;
  net::ReceivedMessage received_;
  std::uint64_t malformed_ = 0;
};

}  // namespace taskpipe::broker
