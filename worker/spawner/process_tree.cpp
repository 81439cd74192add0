#include "worker/spawner/process_tree.hpp"

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "worker/spawner/descriptor.hpp"

namespace taskpipe::worker {
namespace {

constexpr std::chrono::milliseconds kFreezeLimit{500};
constexpr std::chrono::microseconds kFreezePause{200};
constexpr std::size_t kQuietRounds = 2;
constexpr std::size_t kMaxChildrenFileBytes = 1U << 20U;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

std::optional<pid_t> parse_pid(std::string_view text) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc{} || end != text.data() + text.size() || pid < 0) return std::nullopt;
  return pid;
}

void for_each_number(const std::string& directory, const auto& visit) {
  const Directory entries(::opendir(directory.c_str()));
  if (entries == nullptr) return;
  while (const dirent* entry = ::readdir(entries.get())) {
    if (const auto pid = parse_pid(entry->d_name)) visit(*pid);
  }
}

void append_children(pid_t pid, std::vector<TreeMember>& out) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for_each_number(tasks, [&](pid_t thread) {
    const std::string text =
        read_small_file(tasks + "/" + std::to_string(thread) + "/children", kMaxChildrenFileBytes);
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::size_t space = rest.find(' ');
      if (const auto child = parse_pid(rest.substr(0, space))) out.push_back({*child, pid});
      if (space == std::string_view::npos) break;
      rest.remove_prefix(space + 1);
    }
  });
}

// For kernels without CONFIG_PROC_CHILDREN: parent links of every process of the host.
std::vector<TreeMember> scan_host() {
  std::vector<TreeMember> all;
  for_each_number("/proc", [&](pid_t pid) {
    if (const auto stat = read_process_stat(pid)) all.push_back({pid, stat->parent});
  });
  return all;
}

bool kernel_lists_children() {
  const std::string self = "/proc/self/task/" + std::to_string(::getpid()) + "/children";
  return ::access(self.c_str(), R_OK) == 0;
}

bool contains(const std::vector<pid_t>& pids, pid_t pid) {
  return std::find(pids.begin(), pids.end(), pid) != pids.end();
}

bool send_signal(const Descriptor& process, pid_t pid, int signal) {
  if (process.valid()) {
    return ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0U) == 0;
  }
  return ::kill(pid, signal) == 0;  // kernels before 5.3 have no pidfd
}

// False when the process is gone, has ended, or (its pid reused) is no longer ours.
bool signal_member(const TreeMember& member, int signal) {
  if (member.pid <= 1) return false;  // never a group, never everybody
  const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, member.pid, 0U)));
  if (!process.valid() && errno != ENOSYS) return false;
  const auto stat = read_process_stat(member.pid);
  if (!stat || stat->ended()) return false;
  // Its parent may have died since: then it is our own child, or that of a nearer subreaper, which
  // the next walk finds.
  if (stat->parent != member.parent && stat->parent != ::getpid()) return false;
  return send_signal(process, member.pid, signal);
}

bool is_still(char state, int signal) {
  switch (state) {
    case 'T':
    case 't':
    case 'Z':
    case 'X': return true;
    // It sleeps uninterruptibly, on a dead network disk for one. Who kills comes back anyway.
    case 'D': return signal == SIGKILL;
    default: return false;
  }
}

// Each thread stops on its own: all of them have to.
bool stands_still(pid_t pid, int signal) {
  const auto stat = read_process_stat(pid);
  if (!stat) return true;
  if (!is_still(stat->state, signal)) return false;
  bool still = true;
  if (stat->threads > 1) {
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
    for_each_number(tasks, [&](pid_t thread) {
      const auto one =
          parse_process_stat(read_small_file(tasks + "/" + std::to_string(thread) + "/stat"));
      still = still && (!one || is_still(one->state, signal));
    });
  }
  return still;
}

// Stops every descendant, and sees them stand still: one that is in the middle of a fork finishes
// it first, however long ago the signal was sent. The kernel's list of children may leave some out
// while their siblings end, hence one walk more. One that cannot stop (it sleeps uninterruptibly)
// is not waited for beyond kFreezeLimit.
void freeze_descendants(int signal, const std::vector<pid_t>& spared) {
  const auto deadline = std::chrono::steady_clock::now() + kFreezeLimit;
  std::set<TreeMember> seen;
  std::size_t quiet_rounds = 0;
  while (quiet_rounds < kQuietRounds && std::chrono::steady_clock::now() < deadline) {
    bool grew = false;
    bool moves = false;
    for (const TreeMember& member : list_descendants(spared)) {
      if (seen.insert(member).second) {
        grew = true;  // also when it is gone by now: it may have forked before
        signal_member(member, SIGSTOP);
      } else if (!stands_still(member.pid, signal)) {
        moves = true;
      }
    }
    quiet_rounds = grew || moves ? 0 : quiet_rounds + 1;
    if (moves && !grew) std::this_thread::sleep_for(kFreezePause);
  }
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= text.size()) return std::nullopt;
  text.remove_prefix(name_end + 2);
  constexpr std::size_t kParentField = 1;  // counted from the state
  constexpr std::size_t kThreadsField = 17;
  constexpr std::size_t kStartField = 19;
  const auto number = [](std::string_view value, auto& out) {
    return std::from_chars(value.data(), value.data() + value.size(), out).ec == std::errc{};
  };
  ProcessStat stat;
  stat.state = text.front();
  for (std::size_t field = 0; field <= kStartField; ++field) {
    const std::size_t space = text.find(' ');
    const std::string_view value = text.substr(0, space);
    if (field == kParentField) {
      const auto parent = parse_pid(value);
      if (!parent) return std::nullopt;
      stat.parent = *parent;
    } else if (field == kThreadsField) {
      if (!number(value, stat.threads)) return std::nullopt;
    } else if (field == kStartField) {
      if (!number(value, stat.start_ticks)) return std::nullopt;
      return stat;
    }
    if (space == std::string_view::npos) break;
    text.remove_prefix(space + 1);
  }
  return std::nullopt;
}

std::optional<ProcessStat> read_process_stat(pid_t pid) {
  return parse_process_stat(read_small_file("/proc/" + std::to_string(pid) + "/stat"));
}

std::vector<TreeMember> list_descendants(const std::vector<pid_t>& spared) {
  static const bool kListsChildren = kernel_lists_children();
  const std::vector<TreeMember> host = kListsChildren ? std::vector<TreeMember>{} : scan_host();
  const pid_t self = ::getpid();
  std::vector<TreeMember> found;
  std::vector<TreeMember> children;
  std::set<pid_t> seen{self};
  for (std::size_t i = 0; i <= found.size(); ++i) {
    const pid_t parent = i == 0 ? self : found[i - 1].pid;
    children.clear();
    if (kListsChildren) {
      append_children(parent, children);
    } else {
      std::copy_if(host.begin(), host.end(), std::back_inserter(children),
                   [&](const TreeMember& m) { return m.parent == parent; });
    }
    for (const TreeMember& child : children) {
      if (i == 0 && contains(spared, child.pid)) continue;
      if (seen.insert(child.pid).second) found.push_back(child);
    }
  }
  return found;
}

std::size_t signal_descendants(int signal, const std::vector<pid_t>& spared) {
  freeze_descendants(signal, spared);
  auto members = list_descendants(spared);
  // Children first: the parent by which they are known cannot die before their turn.
  std::reverse(members.begin(), members.end());
  const auto signalled =
      std::count_if(members.begin(), members.end(),
                    [&](const TreeMember& member) { return signal_member(member, signal); });
  // Only now may they act on it: nobody can start a process that has not heard the signal.
  if (signal != SIGKILL) {
    for (const TreeMember& member : members) signal_member(member, SIGCONT);
  }
  return static_cast<std::size_t>(signalled);
}

}  // namespace taskpipe::worker
