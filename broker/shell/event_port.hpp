// The PUB channel: subscriptions become commands, Publish effects become messages.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "broker/core/command.hpp"
#include "broker/core/effect.hpp"
#include "common/net/socket.hpp"

namespace taskpipe::broker {

class EventPort {
 public:
  explicit EventPort(net::Context& context);

  [[nodiscard]] tl::expected<void, Error> bind(const std::string& endpoint);
  [[nodiscard]] std::string endpoint() const { return socket_.endpoint(); }
  [[nodiscard]] zmq::socket_t& native() { return socket_.native(); }

  std::size_t drain(std::size_t most, std::vector<Command>& out);
  // Lossy on purpose: a slow subscriber misses messages, nobody waits for it.
  void publish(Publish publish);
  [[nodiscard]] std::uint64_t queued_bytes() const { return socket_.queued_bytes(); }

 private:
  net::XpubSocket socket_;
};

}  // namespace taskpipe::broker
