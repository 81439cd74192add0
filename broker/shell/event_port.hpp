// The PUB channel: subscriptions become commands, Publish effects become messages.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "broker/core/command.hpp"
#include "broker/core/effect.hpp"
#include "broker/shell/authenticator.hpp"
#include "common/model/time.hpp"
#include "common/net/socket.hpp"

namespace taskpipe::broker {

class EventPort {
 public:
  // With `authenticator`, which outlives it, only for observers and admins.
  explicit EventPort(net::Context& context, const Authenticator* authenticator = nullptr);

  [[nodiscard]] tl::expected<void, Error> bind(const std::string& endpoint);
  [[nodiscard]] std::string endpoint() const { return endpoint_; }
  // For good: whoever connected is cut off, nothing is published. Another native socket, then.
  void close();
  [[nodiscard]] zmq::socket_t& native() { return socket_->native(); }

  // Ends every connection, since libzmq cannot end one: each has to show its key again. Until
  // `finish_reopening` has returned true nothing is published. Another native socket, then.
  void begin_reopening();
  // False: the address is not free yet, try again in a moment. The Error is final.
  [[nodiscard]] tl::expected<bool, Error> finish_reopening();
  [[nodiscard]] bool reopening() const { return reopening_; }

  std::size_t drain(std::size_t most, std::vector<Command>& out);
  // Lossy on purpose: a slow subscriber misses messages, nobody waits for it.
  void publish(Publish publish);
  [[nodiscard]] std::uint64_t queued_bytes() const { return socket_->queued_bytes(); }

 private:
  void make_socket();

  net::Context& context_;
  const Authenticator* authenticator_;
  std::unique_ptr<net::XpubSocket> socket_;
  std::string endpoint_;  // empty when closed
  bool reopening_ = false;
  MonotonicTime reopening_since_;
};

}  // namespace taskpipe::broker
