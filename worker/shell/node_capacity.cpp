#include "worker/shell/node_capacity.hpp"

#include <sched.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "worker/spawner/descriptor.hpp"

namespace taskpipe::worker {
namespace {

std::optional<std::uint64_t> first_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{}) return std::nullopt;  // "max", "-1", no such file
  return number;
}

// Within a container these are the container's own limits, in the layout of either version.
std::optional<double> cgroup_cpu_quota() {
  const std::string v2 = read_small_file("/sys/fs/cgroup/cpu.max");
  if (const auto quota = first_number(v2)) {
    const auto period = first_number(std::string_view(v2).substr(v2.find(' ') + 1));
    if (period && *period > 0) return static_cast<double>(*quota) / static_cast<double>(*period);
  }
  const auto quota = first_number(read_small_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"));
  const auto period = first_number(read_small_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us"));
  if (!quota || !period || *period == 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

}  // namespace

std::uint32_t usable_cpus() {
  auto cpus = std::max(std::thread::hardware_concurrency(), 1U);
  ::cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    cpus = static_cast<unsigned>(std::max(CPU_COUNT(&set), 1));
  }
  if (const auto quota = cgroup_cpu_quota()) {
    const auto whole = static_cast<unsigned>(std::clamp(*quota + 0.999, 1.0, 1e6));
    cpus = std::min(cpus, whole);
  }
  return cpus;
}

std::uint32_t visible_gpus() {
  std::uint32_t count = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator it("/dev", error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    constexpr std::string_view kPrefix = "nvidia";
    if (name.size() > kPrefix.size() && name.starts_with(kPrefix) &&
        std::all_of(name.begin() + kPrefix.size(), name.end(),
                    [](unsigned char c) { return std::isdigit(c) != 0; })) {
      ++count;
    }
  }
  return count;
}

}  // namespace taskpipe::worker
