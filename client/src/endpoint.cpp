#include "client/src/endpoint.hpp"

#include <charconv>

namespace taskpipe::client {
namespace {

constexpr std::string_view kTcp = "tcp://";
constexpr std::string_view kIpc = "ipc://";
constexpr std::size_t kMaxIpcPathBytes = 107;  // sockaddr_un

Error bad_address(std::string_view text, std::string_view why, std::string_view field) {
  return Error{ErrorCode::invalid,
               std::string(field) + ": '" + std::string(text) + "' " + std::string(why) +
                   "; write host, host:port or tcp://host:port",
               std::string(field)};
}

bool parse_port(std::string_view text, std::uint16_t& port) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  return error == std::errc{} && rest == end && port != 0;
}

bool is_host_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7f && c != '/' && c != '[' && c != ']';
}

bool is_wildcard(std::string_view host) { return host == "*" || host == "0.0.0.0" || host == "::"; }

}  // namespace

std::string Endpoint::to_string() const {
  if (is_ipc()) return std::string(kIpc) + path;
  const bool v6 = host.find(':') != std::string::npos;
  return std::string(kTcp) + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

tl::expected<Endpoint, Error> parse_endpoint(std::string_view text, std::uint16_t default_port,
                                             std::string_view field) {
  const auto bad = [&](std::string_view why) {
    return tl::unexpected(bad_address(text, why, field));
  };
  Endpoint endpoint;
  if (text.starts_with(kIpc)) {
    endpoint.path = text.substr(kIpc.size());
    if (endpoint.path.empty()) return bad("names no file");
    if (endpoint.path.size() > kMaxIpcPathBytes) return bad("is longer than a socket path may be");
    return endpoint;
  }
  std::string_view rest = text;
  if (rest.starts_with(kTcp)) rest.remove_prefix(kTcp.size());
  if (rest.find("://") != std::string_view::npos) return bad("is of an unknown kind");

  std::string_view port;
  bool has_port = false;
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) return bad("lacks the closing bracket");
    endpoint.host = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
    has_port = rest.starts_with(':');
    if (has_port) port = rest.substr(1);
    if (!has_port && !rest.empty()) return bad("has text behind the bracket");
  } else {
    const auto colon = rest.find(':');
    has_port = colon != std::string_view::npos;
    endpoint.host = rest.substr(0, colon);
    if (has_port) port = rest.substr(colon + 1);
    if (port.find(':') != std::string_view::npos) {
      return bad("looks like an IPv6 address without brackets");
    }
  }
  if (endpoint.host.empty()) return bad("names no host");
  for (const char c : endpoint.host) {
    if (!is_host_character(c)) return bad("contains characters that no host name has");
  }
  endpoint.port = default_port;
  if (has_port && !parse_port(port, endpoint.port)) return bad("has no port from 1 to 65535");
  return endpoint;
}

std::string event_endpoint(const Endpoint& broker, std::string_view wanted,
                           std::string_view announced) {
  for (const std::string_view text : {wanted, announced}) {
    if (text.empty()) continue;
    auto endpoint = parse_endpoint(text, kEventPort, "events");
    if (!endpoint) continue;
    if (is_wildcard(endpoint->host)) {
      if (broker.is_ipc()) continue;
      endpoint->host = broker.host;
    }
    return endpoint->to_string();
  }
  if (broker.is_ipc() || broker.port > 65535 - kEventPortDistance) return {};
  Endpoint beside = broker;
  beside.port = static_cast<std::uint16_t>(broker.port + kEventPortDistance);
  return beside.to_string();
}

}  // namespace taskpipe::client
