#include "worker/spawner/cgroup_driver.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "worker/spawner/cgroup_location.hpp"
#include "worker/spawner/descriptor.hpp"
#include "worker/spawner/process_tree.hpp"

namespace taskpipe::worker {
namespace {

constexpr std::string_view kGroupPrefix = "taskpipe-";
constexpr std::string_view kAgentLeaf = "taskpipe-agent";
constexpr int kRemoveTries = 100;
constexpr std::chrono::milliseconds kRemovePause{2};
constexpr std::uint64_t kProbeLimitBytes = 64U << 20U;

// A group is busy for a moment after its last member was reaped.
void remove_group(const std::string& directory) {
  for (int i = 0; i < kRemoveTries; ++i) {
    if (::rmdir(directory.c_str()) == 0 || errno != EBUSY) return;
    std::this_thread::sleep_for(kRemovePause);
  }
}

// The number that follows `key` in lines of "key number"; 0 when absent.
std::uint64_t counter(const std::string& text, std::string_view key) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ') {
      line.remove_prefix(key.size() + 1);
      std::uint64_t value = 0;
      std::from_chars(line.data(), line.data() + line.size(), value);
      return value;
    }
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return 0;
}

class MemoryGroup final : public AttemptCgroup {
 public:
  MemoryGroup(CgroupVersion version, std::string directory)
      : version_(version), directory_(std::move(directory)) {}

  // 0, or errno.
  int make(std::uint64_t limit_bytes) {
    if (::mkdir(directory_.c_str(), 0755) != 0) return errno;
    const std::string limit = std::to_string(limit_bytes);
    int error = 0;
    if (version_ == CgroupVersion::v2) {
      error = set("memory.max", limit);
      // Absent without swap accounting; oom.group ends the attempt as one, not its largest process.
      static_cast<void>(set("memory.swap.max", "0"));
      static_cast<void>(set("memory.oom.group", "1"));
    } else {
      error = set("memory.limit_in_bytes", limit);
      static_cast<void>(set("memory.memsw.limit_in_bytes", limit));
    }
    if (error != 0) return error;
    entrance_.reset(::open((directory_ + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    if (!entrance_.valid()) return errno;
    entrances_[0] = entrance_.get();
    return 0;
  }

  [[nodiscard]] std::span<const int> entrances() const override { return entrances_; }
  bool kill() override { return version_ == CgroupVersion::v2 && set("cgroup.kill", "1") == 0; }
  [[nodiscard]] bool out_of_memory() override {
    const char* file = version_ == CgroupVersion::v2 ? "/memory.events" : "/memory.oom_control";
    return counter(read_small_file(directory_ + file), "oom_kill") > 0;
  }
  void remove() override {
    entrance_.reset();
    remove_group(directory_);
  }

 private:
  [[nodiscard]] int set(const char* file, const std::string& text) const {
    return write_small_file(directory_ + "/" + file, text);
  }

  CgroupVersion version_;
  std::string directory_;
  Descriptor entrance_;
  std::array<int, 1> entrances_{-1};
};

class MemoryGroupDriver final : public CgroupDriver {
 public:
  MemoryGroupDriver(CgroupVersion version, std::string parent)
      : version_(version), parent_(std::move(parent)) {
    const auto self = read_process_stat(::getpid());
    prefix_ = std::string(kGroupPrefix) + std::to_string(::getpid()) + "-" +
              std::to_string(self ? self->start_ticks : 0) + "-";
  }

  [[nodiscard]] std::string_view name() const override {
    return version_ == CgroupVersion::v2 ? "cgroup v2 memory" : "cgroup v1 memory";
  }
  [[nodiscard]] bool limits_address_space() const override { return false; }
  [[nodiscard]] std::unique_ptr<AttemptCgroup> create(RunNumber run,
                                                      std::uint64_t memory_limit_bytes,
                                                      int& error) override {
    auto group = std::make_unique<MemoryGroup>(version_, directory_of(std::to_string(run)));
    error = group->make(memory_limit_bytes);
    if (error == 0) return group;
    group->remove();
    return nullptr;
  }
  void discard(RunNumber run) override { remove_group(directory_of(std::to_string(run))); }

  // 0, or errno: whether groups can be made and limited here. Leaves nothing behind.
  [[nodiscard]] int probe() const {
    MemoryGroup group(version_, directory_of("probe"));
    const int error = group.make(kProbeLimitBytes);
    group.remove();
    return error;
  }

 private:
  [[nodiscard]] std::string directory_of(const std::string& name) const {
    return parent_ + "/" + prefix_ + name;
  }

  CgroupVersion version_;
  std::string parent_;
  std::string prefix_;
};

class GrouplessDriver final : public CgroupDriver {
 public:
  explicit GrouplessDriver(bool limits_address_space)
      : limits_address_space_(limits_address_space) {}
  [[nodiscard]] std::string_view name() const override {
    return limits_address_space_ ? "RLIMIT_AS" : "none";
  }
  [[nodiscard]] bool limits_address_space() const override { return limits_address_space_; }
  [[nodiscard]] std::unique_ptr<AttemptCgroup> create(RunNumber, std::uint64_t,
                                                      int& error) override {
    error = 0;
    return nullptr;
  }
  void discard(RunNumber) override {}

 private:
  bool limits_address_space_;
};

std::vector<pid_t> members(const std::string& directory) {
  std::vector<pid_t> pids;
  const std::string text = read_small_file(directory + "/cgroup.procs");
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    pid_t pid = 0;
    const auto [next, error] = std::from_chars(at, end, pid);
    // 0 stands for a process of another pid namespace; as an argument of kill it means ourselves.
    if (error == std::errc{} && pid > 0) pids.push_back(pid);
    at = next + 1;
  }
  return pids;
}

// "taskpipe-<pid>-<start>-<run>" of a spawner that is gone.
bool is_stale(std::string_view name) {
  if (!name.starts_with(kGroupPrefix)) return false;
  name.remove_prefix(kGroupPrefix.size());
  pid_t pid = 0;
  const auto [dash, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  if (error != std::errc{} || dash == name.data() + name.size() || *dash != '-') return false;
  unsigned long long start = 0;
  const auto [end, start_error] = std::from_chars(dash + 1, name.data() + name.size(), start);
  if (start_error != std::errc{} || end == name.data() + name.size() || *end != '-') return false;
  const auto stat = read_process_stat(pid);
  return !stat || stat->start_ticks != start || stat->state == 'Z';
}

void remove_stale_groups(const std::string& parent) {
  std::vector<std::string> stale;
  if (DIR* entries = ::opendir(parent.c_str())) {
    while (const dirent* entry = ::readdir(entries)) {
      if (is_stale(entry->d_name)) stale.push_back(parent + "/" + entry->d_name);
    }
    ::closedir(entries);
  }
  for (const std::string& directory : stale) {
    for (const pid_t pid : members(directory)) ::kill(pid, SIGKILL);
    remove_group(directory);
  }
}

bool lists_word(const std::string& text, std::string_view word) {
  const std::string padded = " " + text.substr(0, text.find('\n')) + " ";
  return padded.find(" " + std::string(word) + " ") != std::string::npos;
}

// Enables the memory controller for the children of `parent`. Returns 0 or errno.
int enable_v2_memory(const std::string& parent) {
  if (!lists_word(read_small_file(parent + "/cgroup.controllers"), "memory")) return ENOTSUP;
  const std::string subtree = parent + "/cgroup.subtree_control";
  if (lists_word(read_small_file(subtree), "memory")) return 0;
  int error = write_small_file(subtree, "+memory");
  if (error != EBUSY) return error;
  // Processes of its own stand in the way. If they are but the worker and this spawner, the group
  // was delegated to them, and they may move.
  const auto pids = members(parent);
  for (const pid_t pid : pids) {
    if (pid != ::getpid() && pid != ::getppid()) return EBUSY;
  }
  const std::string leaf = parent + "/" + std::string(kAgentLeaf);
  if (::mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return errno;
  for (const pid_t pid : pids) {
    error = write_small_file(leaf + "/cgroup.procs", std::to_string(pid));
    if (error != 0) return error;
  }
  return write_small_file(subtree, "+memory");
}

std::unique_ptr<CgroupDriver> try_version(CgroupVersion version, const CgroupOptions& options,
                                          std::string& tried) {
  const bool v2 = version == CgroupVersion::v2;
  tried += v2 ? "cgroup v2 memory: " : "cgroup v1 memory: ";
  const auto own =
      own_cgroup_directory(version, "memory", read_small_file(options.proc_self + "/cgroup"),
                           read_small_file(options.proc_self + "/mountinfo", 1U << 20U));
  std::string parent =
      options.parent_directory.empty() ? own.value_or("") : options.parent_directory;
  if (parent.empty()) {
    tried += "not mounted; ";
    return nullptr;
  }
  // A worker that was restarted in place finds itself in the leaf that it once moved to.
  const std::string leaf = "/" + std::string(kAgentLeaf);
  if (parent.ends_with(leaf)) parent.resize(parent.size() - leaf.size());
  int error = v2 ? enable_v2_memory(parent) : 0;
  if (error == 0) {
    remove_stale_groups(parent);
    auto driver = std::make_unique<MemoryGroupDriver>(version, parent);
    error = driver->probe();
    if (error == 0) return driver;
  }
  tried += parent + ": " + std::strerror(error) + "; ";
  return nullptr;
}

}  // namespace

std::unique_ptr<CgroupDriver> make_groupless_driver(bool limits_address_space) {
  return std::make_unique<GrouplessDriver>(limits_address_space);
}

std::unique_ptr<CgroupDriver> choose_cgroup_driver(const CgroupOptions& options) {
  const MemoryControl control = options.control;
  const bool any = control == MemoryControl::automatic;
  std::string tried;
  if (any || control == MemoryControl::cgroup_v2) {
    if (auto driver = try_version(CgroupVersion::v2, options, tried)) return driver;
  }
  if (any || control == MemoryControl::cgroup_v1) {
    if (auto driver = try_version(CgroupVersion::v1, options, tried)) return driver;
  }
  if (any || control == MemoryControl::address_space) return make_groupless_driver(true);
  if (control == MemoryControl::none) return make_groupless_driver(false);
  throw std::runtime_error("memory limits as asked for do not work here: " + tried +
                           "choose --memory-control auto");
}

}  // namespace taskpipe::worker
