#include "tests/integration/exec/live_processes.hpp"

#include <dirent.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "worker/spawner/descriptor.hpp"
#include "worker/spawner/process_tree.hpp"

namespace taskpipe::worker {
namespace {

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  DIR* directory = ::opendir("/proc");
  if (directory == nullptr) return pids;
  while (const dirent* entry = ::readdir(directory)) {
    const int pid = std::atoi(entry->d_name);
    if (pid > 0) pids.push_back(pid);
  }
  ::closedir(directory);
  return pids;
}

}  // namespace

std::string unique_marker() {
  static std::atomic<int> counter{0};
  const auto ticks = std::chrono::steady_clock::now().time_since_epoch().count();
  return "marker-" + std::to_string(::getpid()) + "-" + std::to_string(ticks) + "-" +
         std::to_string(++counter);
}

bool is_live(pid_t pid) {
  const auto stat = read_process_stat(pid);
  return stat && stat->state != 'Z' && stat->state != 'X';
}

std::vector<pid_t> live_with(const std::string& marker) {
  std::vector<pid_t> found;
  for (const pid_t pid : all_processes()) {
    if (pid == ::getpid()) continue;
    const std::string arguments = read_small_file("/proc/" + std::to_string(pid) + "/cmdline");
    if (arguments.find(marker) != std::string::npos && is_live(pid)) found.push_back(pid);
  }
  return found;
}

bool all_gone(const std::string& marker, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!live_with(marker).empty()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> found;
  for (const pid_t candidate : all_processes()) {
    const auto stat = read_process_stat(candidate);
    if (stat && stat->parent == pid && stat->state != 'Z') found.push_back(candidate);
  }
  return found;
}

}  // namespace taskpipe::worker
