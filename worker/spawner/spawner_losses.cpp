// The parts of Spawner that see to the end of attempts, of guards, and of the worker.
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "worker/spawner/aftermath.hpp"
#include "worker/spawner/process_tree.hpp"
#include "worker/spawner/spawner.hpp"

namespace taskpipe::worker {

void Spawner::on_worker_gone() {
  worker_gone_ = true;
  socket_.reset();
  accompaniments_.clear();
  idle_.clear();
  shutdown_deadline_ = Clock::now() + std::chrono::milliseconds(kGuardShutdownMs);
  bool allow_for_aftermath = false;
  // End-of-file tells each guard to kill everything.
  for (auto at = guards_.begin(); at != guards_.end();) {
    GuardRecord& guard = at->second;
    guard.socket.reset();
    if (guard.container != nullptr) allow_for_aftermath = true;
    if (guard.reaped && guard.run != kNoRun) lose(at->first, guard);
    at = guard.reaped && guard.run == kNoRun ? guards_.erase(at) : std::next(at);
  }
  if (allow_for_aftermath) shutdown_deadline_ += std::chrono::milliseconds(kAftermathMs);
}

// It waits for the next, unless it cannot or enough do: then it sees the end of its socket and
// goes. Forgets `guard` when it went before.
void Spawner::on_attempt_over(GuardNumber number, GuardRecord& guard, bool serves_on) {
  guard_of_.erase(guard.run);
  guard.run = kNoRun;
  // Nobody watches what the commands that removed a container leave behind: it would be taken for
  // the next attempt's.
  const bool had_container = std::exchange(guard.container, nullptr) != nullptr;
  if (serves_on && !had_container && !guard.reaped && idle_.size() < kMaxIdleGuards) {
    return idle_.push_back(number);
  }
  guard.socket.reset();
  settle(number);
}

// Of a guard that takes no other attempt. Forgets one that is gone for good, or notes that it left
// without a report.
void Spawner::settle(GuardNumber number) {
  std::erase(idle_, number);
  const auto found = guards_.find(number);
  GuardRecord& guard = found->second;
  if (!guard.reaped || guard.socket.valid()) return;
  // One without an attempt leaves nothing. Without a worker there are no reports: one that ended
  // well had nothing left either.
  if (guard.run != kNoRun && (guard.died || !worker_gone_)) return lose(number, guard);
  guard_of_.erase(guard.run);
  guards_.erase(found);
}

void Spawner::lose(GuardNumber number, GuardRecord& guard) {
  if (std::exchange(guard.lost, true)) return;
  lost_.push_back(number);
}

void Spawner::clear_strays() {
  const auto spared = guard_pids();
  signal_descendants(SIGKILL, spared);
  reap();
  if (!list_descendants(spared).empty()) return;  // again in kStrayPauseMs
  for (const GuardNumber number : std::exchange(lost_, {})) {
    const auto found = guards_.find(number);
    if (found == guards_.end()) continue;
    const RunNumber run = found->second.run;
    driver_->discard(run);
    if (start_cleaner(number, found->second)) continue;
    spawn_message::Exited end;
    end.run = run;
    end.guard_lost = true;
    // Still there when no cleaner could be forked.
    end.container_left = found->second.container_left || found->second.container != nullptr;
    send(end);
    guard_of_.erase(run);
    guards_.erase(found);
  }
}

// A process that does what the lost guard cannot do any more, in its place in the books. Its exit
// code tells whether it could.
bool Spawner::start_cleaner(GuardNumber number, GuardRecord& guard) {
  if (guard.container == nullptr) return false;
  const pid_t pid = ::fork();
  if (pid < 0) return false;
  if (pid == 0) {
    const std::array<int, 1> keep = {lifeline_.get()};
    close_all_except(keep);
    AftermathContext context;
    context.search_path = search_path_;
    context.open_files = open_files_;
    context.client_killed = true;
    ::_exit(clear_container(*guard.container, context).left ? EXIT_FAILURE : EXIT_SUCCESS);
  }
  guard.container.reset();
  guard.cleaning = true;
  guard.pid = pid;
  guard.reaped = guard.died = guard.lost = false;
  guards_by_pid_.emplace(pid, number);
  if (worker_gone_) shutdown_deadline_ = Clock::now() + std::chrono::milliseconds(2 * kAftermathMs);
  return true;
}

void Spawner::end_overdue_guards() {
  if (Clock::now() < shutdown_deadline_) return;
  // A guard that is stopped or stuck: its attempt becomes ours to kill.
  for (const pid_t pid : guard_pids()) ::kill(pid, SIGKILL);
}

}  // namespace taskpipe::worker
