#include "common/bulk/access.hpp"

#include <string_view>

namespace taskpipe::bulk {
namespace {

constexpr std::string_view kTcp = "tcp://";

// Host and port of "tcp://host:port"; empty for anything else.
struct Parts {
  std::string_view host;
  std::string_view port;
};
Parts split(std::string_view endpoint) {
  if (!endpoint.starts_with(kTcp)) return {};
  endpoint.remove_prefix(kTcp.size());
  const std::size_t colon = endpoint.rfind(':');
  if (colon == std::string_view::npos) return {};
  return {endpoint.substr(0, colon), endpoint.substr(colon + 1)};
}

}  // namespace

std::string reachable(const std::string& announced, const std::string& broker) {
  const auto [host, port] = split(announced);
  const bool wildcard = host == "*" || host == "0.0.0.0" || host == "[::]" || host == "::";
  if (!wildcard) return announced;
  const Parts own = split(broker);
  if (own.host.empty()) return {};  // an ipc broker
  return std::string(kTcp) + std::string(own.host) + ":" + std::string(port);
}

}  // namespace taskpipe::bulk
