// Ctrl-C, SIGTERM and SIGHUP as a request to stop, for as long as this lives.
#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

#include "common/process/signals.hpp"

namespace taskpipe::cli {

// Runs before the second signal ends the process, on the thread that heard it: for a terminal that
// must be given back.
extern std::atomic<void (*)()> before_forced_exit;

// Make it before the first client call (its threads inherit the blocked signals), on the thread
// that destroys it. The first signal requests the stop; a second one ends the process at once, with
// exit code 130, should something not heed the first. Signals that were ignored when the process
// started (nohup, a job in the background) stay ignored.
class Interrupts {
 public:
  Interrupts();  // throws std::system_error
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  ~Interrupts();

  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

 private:
  void watch();

  bool ignore_interrupt_;
  bool ignore_hangup_;
  process::SignalFd signals_;
  int end_fd_;  // readable once the watching shall end
  std::stop_source source_;
  std::thread thread_;
};

}  // namespace taskpipe::cli
