// Removes old attempt folders: at the start and then each hour, on a thread of its own, since it
// walks every file.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "common/process/logging.hpp"

namespace taskpipe::worker {

class AttemptSweeper {
 public:
  // `logger` must outlive the sweeper.
  AttemptSweeper(std::string attempts_root, std::uint64_t keep_bytes, std::chrono::seconds keep_age,
                 process::Logger& logger);
  AttemptSweeper(const AttemptSweeper&) = delete;
  AttemptSweeper& operator=(const AttemptSweeper&) = delete;
  // Waits for a sweep that is under way.
  ~AttemptSweeper();

 private:
  void work();
  void sweep();

  std::string attempts_root_;
  std::uint64_t keep_bytes_;
  std::chrono::seconds keep_age_;
  process::Logger& logger_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace taskpipe::worker
