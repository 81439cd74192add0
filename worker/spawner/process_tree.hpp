// The descendants of the calling process, found in /proc.
//
// The caller is a subreaper, so whatever an attempt starts stays below it however often it forks or
// changes its session: orphans come back as its own children. That also gives the proof of an end:
// wait4 answering ECHILD means that nothing is left.
//
// A pid read from /proc may be reused before it is signalled. Therefore a process is signalled
// through a pidfd, and only if, after the pidfd was opened, its parent is still one of ours.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace taskpipe::worker {

struct ProcessStat {
  char state = '?';  // R S D T Z …, of the first thread
  pid_t parent = 0;
  long threads = 1;  // a zombie has one; it has more when its first thread ended before others
  unsigned long long start_ticks = 0;  // since boot; with the pid it names a process for good

  // Nothing of it runs any more.
  [[nodiscard]] bool ended() const { return state == 'X' || (state == 'Z' && threads <= 1); }
};
// Nothing when the process does not exist (any more).
[[nodiscard]] std::optional<ProcessStat> read_process_stat(pid_t pid);
// The text of /proc/<pid>/stat; the command name may hold any characters, parentheses too.
[[nodiscard]] std::optional<ProcessStat> parse_process_stat(std::string_view text);

struct TreeMember {
  pid_t pid = 0;
  pid_t parent = 0;
  friend constexpr auto operator<=>(const TreeMember&, const TreeMember&) = default;
};

// Everything below the caller, parents before children, except `spared` direct children and what
// is below them. Cost: a few file reads per process found (per process of the host, where the
// kernel lacks CONFIG_PROC_CHILDREN).
[[nodiscard]] std::vector<TreeMember> list_descendants(const std::vector<pid_t>& spared = {});

// Sends `signal` to every descendant that has not ended, and returns how many that were.
//
// The tree is stopped first, signalled as a whole, then continued (unless by SIGKILL): no process
// escapes by being forked during the walk, a suspended one hears the signal too, and what a tool
// starts in answer (a trap that saves its data) is spared. A fork bomb may outrun the walk: after
// SIGKILL, repeat until wait4 says ECHILD.
std::size_t signal_descendants(int signal, const std::vector<pid_t>& spared = {});

}  // namespace taskpipe::worker
