#include "common/net/endpoint.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>

namespace taskpipe::net {
namespace {

constexpr std::string_view kTcp = "tcp://";
constexpr std::string_view kIpc = "ipc://";
constexpr std::string_view kInproc = "inproc://";

Error bad_broker(const std::string& endpoint, std::string_view why) {
  return Error{ErrorCode::invalid, "broker '" + endpoint + "' " + std::string(why), "broker", {}};
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

// The first IPv4 address, else the first of all: a broker binds IPv4 unless told otherwise, while
// "localhost" often resolves to ::1 first.
const addrinfo* choose(const Addresses& addresses) {
  for (const addrinfo* a = addresses.get(); a != nullptr; a = a->ai_next) {
    if (a->ai_family == AF_INET) return a;
  }
  return addresses.get();
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  unsigned number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() ||
      number > std::numeric_limits<std::uint16_t>::max()) {
    return std::nullopt;
  }
  return static_cast<std::uint16_t>(number);
}

std::string reason_of(int result) {
  return result == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(result);
}

}  // namespace

tl::expected<TcpAddress, Error> parse_tcp(const std::string& endpoint) {
  constexpr std::string_view kShape = "is not of the form tcp://host:port";
  std::string_view rest = endpoint;
  if (!rest.starts_with(kTcp)) return tl::unexpected(bad_broker(endpoint, kShape));
  rest.remove_prefix(kTcp.size());
  const auto colon = rest.rfind(':');
  if (colon == std::string_view::npos) {
    return tl::unexpected(bad_broker(endpoint, "has no port; write tcp://host:port"));
  }
  std::string_view host = rest.substr(0, colon);
  const std::string_view port = rest.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return tl::unexpected(bad_broker(endpoint, "has an IPv6 address without its [brackets]"));
  }
  // A blank or a second slash would otherwise end up in the name server's hands.
  if (host.empty() || host.find_first_of("/;*[]@ \t\n") != std::string_view::npos) {
    return tl::unexpected(bad_broker(endpoint, kShape));
  }
  const auto number = parse_port(port);
  if (!number || *number == 0) {
    return tl::unexpected(
        bad_broker(endpoint, "has no port between 1 and 65535; write tcp://host:port"));
  }
  return TcpAddress{std::string(host), *number};
}

tl::expected<std::string, Error> resolve(const std::string& endpoint) {
  for (const std::string_view scheme : {kIpc, kInproc}) {
    if (!std::string_view(endpoint).starts_with(scheme)) continue;
    if (endpoint.size() > scheme.size()) return endpoint;
    return tl::unexpected(bad_broker(endpoint, "has no name behind its scheme"));
  }
  const auto address = parse_tcp(endpoint);
  if (!address) return tl::unexpected(address.error());
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int result = ::getaddrinfo(address->host.c_str(), nullptr, &hints, &list);
  if (result != 0) {
    return tl::unexpected(
        bad_broker(endpoint, "cannot be resolved: " + reason_of(result) + "; check the host name"));
  }
  const Addresses addresses(list);
  const addrinfo* chosen = choose(addresses);
  std::array<char, NI_MAXHOST> host{};
  const int named = ::getnameinfo(chosen->ai_addr, chosen->ai_addrlen, host.data(), host.size(),
                                  nullptr, 0, NI_NUMERICHOST);
  if (named != 0) {
    return tl::unexpected(bad_broker(endpoint, "cannot be resolved: " + reason_of(named)));
  }
  const std::string numeric = chosen->ai_family == AF_INET6 ? "[" + std::string(host.data()) + "]"
                                                            : std::string(host.data());
  return std::string(kTcp) + numeric + ":" + std::to_string(address->port);
}

bool is_ipv6(std::string_view endpoint) {
  return endpoint.starts_with(kTcp) && endpoint.find('[') != std::string_view::npos;
}

bool has_bad_port(std::string_view endpoint) {
  if (!endpoint.starts_with(kTcp)) return false;
  const auto colon = endpoint.rfind(':');
  const std::string_view port = endpoint.substr(colon + 1);
  return port != "*" && !parse_port(port);
}

bool is_ipc_in_use(std::string_view endpoint) {
  if (!endpoint.starts_with(kIpc)) return false;
  const std::string_view path = endpoint.substr(kIpc.size());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // An abstract name (@) cannot be taken over, and "*" lets libzmq choose.
  if (path.empty() || path.size() >= sizeof address.sun_path || path[0] == '@' || path == "*") {
    return false;
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  const int result = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const bool in_use = result == 0 || errno == EAGAIN;  // EAGAIN: its queue of callers is full
  ::close(fd);
  return in_use;
}

Error bind_error(const std::string& endpoint, int error_number) {
  std::string why;
  switch (error_number) {
    case EADDRINUSE:
      why = "is in use: is another broker running? Stop it, or choose another address";
      break;
    case EADDRNOTAVAIL:
    case ENODEV: why = "is no address of this machine; choose one of `ip address`"; break;
    case EACCES: why = "is not permitted; choose a port above 1023 or a folder of your own"; break;
    case ENOENT: why = "is in a folder that does not exist; create it"; break;
    case ENAMETOOLONG: why = "is too long for a socket file; choose a shorter path"; break;
    case EINVAL:
    case EPROTONOSUPPORT:
      why = "cannot be understood; write tcp://address:port or ipc://path";
      break;
    default: why = "cannot be bound: " + std::string(::zmq_strerror(error_number)); break;
  }
  return Error{ErrorCode::invalid, "bind '" + endpoint + "' " + why, "bind", {}};
}

}  // namespace taskpipe::net
