// Writes the spool, so that a slow disk delays nobody's heartbeat. Results that come together share
// the sync of the folder.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "common/process/logging.hpp"
#include "worker/core/effect.hpp"
#include "worker/shell/command_sink.hpp"
#include "worker/shell/spool_folder.hpp"

namespace taskpipe::worker {

class SpoolThread {
 public:
  // Answers go to `commands`; both references must outlive the thread.
  SpoolThread(SpoolFolder folder, CommandMailbox& commands, process::Logger& logger);
  SpoolThread(const SpoolThread&) = delete;
  SpoolThread& operator=(const SpoolThread&) = delete;
  // Does what was asked for, then ends.
  ~SpoolThread();

  // In order. `store` is answered by command::SpoolStored. Any thread.
  void store(SpoolStore store) { post(std::move(store)); }
  void drop(SpoolDrop drop) { post(drop); }

 private:
  using Job = std::variant<SpoolStore, SpoolDrop>;
  void post(Job job);
  void work();
  void carry_out(const std::vector<Job>& jobs);

  SpoolFolder folder_;
  CommandMailbox& commands_;
  process::Logger& logger_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::vector<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace taskpipe::worker
