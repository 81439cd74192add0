// Addresses as people write them, made into what sockets take.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "common/model/error.hpp"

namespace taskpipe::client {

inline constexpr std::uint16_t kClientPort = 7610;
inline constexpr const char* kDefaultBroker = "tcp://127.0.0.1:7610";
inline constexpr std::uint16_t kEventPort = 7612;
inline constexpr std::uint16_t kEventPortDistance = 2;  // from the client port

struct Endpoint {
  std::string host;  // without brackets; empty for ipc
  std::uint16_t port = 0;
  std::string path;  // of an ipc socket, else empty

  [[nodiscard]] bool is_ipc() const { return !path.empty(); }
  [[nodiscard]] std::string to_string() const;  // "tcp://host:port", "tcp://[v6]:port", "ipc://…"
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// "host", "host:port", "[v6]", "[v6]:port", with or without "tcp://", and "ipc://path". INVALID
// with the remedy, naming `field`.
[[nodiscard]] tl::expected<Endpoint, Error> parse_endpoint(std::string_view text,
                                                           std::uint16_t default_port,
                                                           std::string_view field);

// Where events come from: what the user said (`wanted`), else what the broker said (`announced`; a
// wildcard host there means the broker's own), else two ports above the broker's. Empty: nobody
// knows (an ipc broker that announced nothing).
[[nodiscard]] std::string event_endpoint(const Endpoint& broker, std::string_view wanted,
                                         std::string_view announced);

}  // namespace taskpipe::client
