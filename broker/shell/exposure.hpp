// Who besides this user can connect to an address that asks for no key.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace taskpipe::broker {

struct Exposure {
  std::string who;     // "other hosts"
  std::string remedy;  // besides keys, and accepting it
};

// Nothing: what connects to `endpoint` comes from this host and, to an ipc socket, from this user.
// That takes a folder, or one above it, that nobody else may enter: the mode of the socket itself
// is the umask's, and whoever may write to the folder could put a socket of his own in its place.
// Loopback addresses have no users; docs/security.md says so.
[[nodiscard]] std::optional<Exposure> exposure_of(std::string_view endpoint);

}  // namespace taskpipe::broker
