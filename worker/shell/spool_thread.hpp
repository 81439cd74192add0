// Writes the spool, so that a slow disk delays nobody's heartbeat.
//
// A result is told as kept once its file would outlive the worker's process. It is synced, for a
// power loss, only when it is still there after kSpoolSyncDelay: by then the broker has
// acknowledged most of them. A power loss within that time makes the task run again, as one a
// moment earlier would have.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "common/process/logging.hpp"
#include "worker/core/effect.hpp"
#include "worker/shell/command_sink.hpp"
#include "worker/shell/spool_folder.hpp"

namespace taskpipe::worker {

inline constexpr std::chrono::milliseconds kSpoolSyncDelay{200};

class SpoolThread {
 public:
  // Answers go to `commands`; both references must outlive the thread.
  SpoolThread(SpoolFolder folder, CommandMailbox& commands, process::Logger& logger,
              std::chrono::milliseconds sync_delay = kSpoolSyncDelay);
  SpoolThread(const SpoolThread&) = delete;
  SpoolThread& operator=(const SpoolThread&) = delete;
  // Does what was asked for, syncs what is left, then ends.
  ~SpoolThread();

  // In order. `store` is answered by command::SpoolStored. Any thread.
  void store(SpoolStore store) { post(std::move(store)); }
  void drop(SpoolDrop drop) { post(drop); }

 private:
  using Job = std::variant<SpoolStore, SpoolDrop>;
  void post(Job job);
  void work();
  void carry_out(const std::vector<Job>& jobs);
  void sync_written_before(std::chrono::steady_clock::time_point end);

  using Written = std::pair<std::chrono::steady_clock::time_point, AttemptKey>;
  SpoolFolder folder_;
  CommandMailbox& commands_;
  process::Logger& logger_;
  const std::chrono::milliseconds sync_delay_;
  std::deque<Written> unsynced_;            // oldest first; those that were dropped as well
  std::unordered_set<AttemptKey> to_sync_;  // of these, what is there
  std::mutex mutex_;
  std::condition_variable ready_;
  std::vector<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace taskpipe::worker
