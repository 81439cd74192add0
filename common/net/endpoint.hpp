// Addresses of brokers: parsing, resolving, and what a failed bind means. Private to common/net.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "common/model/error.hpp"

namespace taskpipe::net {

struct TcpAddress {
  std::string host;  // a name, an IPv4 address, or an IPv6 address without brackets
  std::uint16_t port = 0;
  friend bool operator==(const TcpAddress&, const TcpAddress&) = default;
};

// "tcp://host:port" with a port of 1 to 65535; INVALID naming "broker".
[[nodiscard]] tl::expected<TcpAddress, Error> parse_tcp(const std::string& endpoint);

// What to hand to zmq_connect: host names become numeric addresses, ipc:// and inproc:// stay as
// they are. INVALID naming "broker". Waits for the name server.
[[nodiscard]] tl::expected<std::string, Error> resolve(const std::string& endpoint);

// Whether the endpoint needs ZMQ_IPV6 (elsewhere that option would turn IPv4 into mapped
// addresses).
[[nodiscard]] bool is_ipv6(std::string_view endpoint);

// libzmq binds port 99999 as 34463. True for a tcp:// endpoint whose port is neither * nor a number
// up to 65535.
[[nodiscard]] bool has_bad_port(std::string_view endpoint);

// libzmq unlinks the socket file of an ipc:// endpoint before it binds, and so would take it away
// from a broker that runs. True when somebody listens there.
[[nodiscard]] bool is_ipc_in_use(std::string_view endpoint);

// INVALID naming "bind", with the remedy for that errno.
[[nodiscard]] Error bind_error(const std::string& endpoint, int error_number);

}  // namespace taskpipe::net
