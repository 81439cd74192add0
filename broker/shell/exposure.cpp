#include "broker/shell/exposure.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace taskpipe::broker {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIpc = "ipc://";
constexpr std::string_view kTcp = "tcp://";

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

// Whether nobody but this user and root may enter `folder`, or one above it.
bool is_closed(fs::path folder) {
  for (;; folder = folder.parent_path()) {
    struct stat status {};
    constexpr mode_t kEntry = S_IXGRP | S_IXOTH;
    if (::stat(folder.c_str(), &status) == 0 && (status.st_mode & kEntry) == 0 &&
        (status.st_uid == 0 || status.st_uid == ::geteuid())) {
      return true;
    }
    if (folder == folder.root_path()) return false;
  }
}

std::optional<Exposure> exposure_of_ipc(std::string_view name) {
  if (name.empty()) return std::nullopt;  // binding tells what is wrong with it
  if (name == "*") return std::nullopt;   // libzmq makes a folder for it, as mkdtemp does
  if (name.starts_with('@')) {
    return Exposure{"other users of this host, since no folder protects an abstract name",
                    "bind an ipc:// path in a folder of mode 0700"};
  }
  std::error_code error;
  const fs::path path = fs::absolute(fs::path(name), error);
  if (error) return std::nullopt;  // likewise
  const fs::path folder = fs::canonical(path.parent_path(), error);
  if (error || is_closed(folder)) return std::nullopt;
  return Exposure{"other users of this host, who may enter '" + folder.string() + "'",
                  "chmod 700 that folder"};
}

}  // namespace

std::optional<Exposure> exposure_of(std::string_view endpoint) {
  if (endpoint.starts_with("inproc://")) return std::nullopt;
  if (endpoint.starts_with(kIpc)) return exposure_of_ipc(endpoint.substr(kIpc.size()));
  if (endpoint.starts_with(kTcp)) {
    endpoint.remove_prefix(kTcp.size());
    if (is_loopback(endpoint.substr(0, endpoint.rfind(':')))) return std::nullopt;
  }
  return Exposure{"other hosts", "bind 127.0.0.1, or an ipc:// path in a folder of mode 0700"};
}

}  // namespace taskpipe::broker
