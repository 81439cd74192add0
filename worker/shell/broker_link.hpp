// The socket to the broker: opens, encodes, decodes. Which session it is, and when to open a fresh
// one, is the core's matter.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <tl/expected.hpp>

#include "common/net/socket.hpp"
#include "worker/core/command.hpp"
#include "worker/core/effect.hpp"

namespace taskpipe::worker {

class BrokerLink {
 public:
  // `context` must outlive the link; `endpoint` is "tcp://host:port" or "ipc://path".
  // With `curve` the broker must have that key, and admit ours.
  BrokerLink(net::Context& context, std::string endpoint,
             std::optional<net::CurveClient> curve = std::nullopt);

  // Closes the socket, if any, and connects a fresh one. INVALID naming "broker" when the address
  // cannot be resolved (now): try again later.
  [[nodiscard]] tl::expected<void, Error> open();
  // Waits up to `linger` for what was sent to leave. Afterwards nothing is open.
  void close(Millis linger);
  // Null while nothing is open. Another one after each `open`.
  [[nodiscard]] zmq::socket_t* socket() { return dealer_ ? &dealer_->native() : nullptr; }

  // Becomes readable with news of handshakes; null while nothing is open.
  [[nodiscard]] zmq::socket_t* handshakes() {
    return dealer_ ? &dealer_->handshakes().native() : nullptr;
  }
  // Why the broker does not want this worker; to be asked when there is news of handshakes.
  [[nodiscard]] std::optional<Error> refusal();

  enum class Sent : std::uint8_t { queued, unwritable };
  // The error is the codec's: the message breaks a bound, and cannot be sent at all.
  [[nodiscard]] tl::expected<Sent, Error> send(const Send& send);

  // The next message, as MessageReceived or MalformedReceived; nothing when none waits.
  [[nodiscard]] std::optional<Command> receive();

 private:
  net::Context& context_;
  std::string endpoint_;
  std::optional<net::CurveClient> curve_;
  net::HandshakeJudge judge_;
  bool heard_broker_ = false;
  std::unique_ptr<net::DealerSocket> dealer_;
  net::ReceivedMessage received_;
};

}  // namespace taskpipe::worker
