#include "common/process/host_memory.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <string_view>

namespace taskpipe::process {
namespace {

std::optional<std::uint64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{}) return std::nullopt;  // "max", "-1"
  return number;
}

// Empty when the process is in no group of cgroup v2.
std::string own_group() {
  constexpr std::string_view kV2 = "0::";
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kV2)) return line.substr(kV2.size());
  }
  return {};
}

}  // namespace

std::uint64_t cgroup_memory_limit(const std::string& mount, std::string path, std::uint64_t none) {
  std::uint64_t least = none;
  for (;;) {
    while (path.ends_with('/')) path.pop_back();
    if (const auto limit = number_in(mount + path + "/memory.max")) least = std::min(least, *limit);
    if (path.empty()) return least;
    const auto parent = path.rfind('/');
    path.erase(parent == std::string::npos ? 0 : parent);
  }
}

std::uint64_t usable_memory_bytes() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_bytes = ::sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page_bytes <= 0) return 0;
  auto bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes);
  bytes = cgroup_memory_limit("/sys/fs/cgroup", own_group(), bytes);
  // Version 1, within a container.
  if (const auto v1 = number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes")) {
    bytes = std::min(bytes, *v1);
  }
  return bytes;
}

}  // namespace taskpipe::process
