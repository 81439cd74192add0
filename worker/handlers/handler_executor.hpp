// Runs handlers on a fixed pool of threads. Attempts come and results leave in batches, so that a
// task that does nothing costs about a microsecond here.
//
// What runs longer than a moment is asked about by `poll_running`, which the worker's loop calls
// while anything runs: a thread that is busy with a handler cannot speak for itself, and telling of
// every start beforehand would double the cost of short ones.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/model/ids.hpp"
#include "common/model/payload.hpp"
#include "common/model/task.hpp"
#include "common/model/time.hpp"
#include "worker/exec/executor.hpp"
#include "worker/handlers/handler_registry.hpp"

namespace taskpipe::worker {

struct HandlerJob {
  AttemptKey attempt;
  TaskSpecPtr spec;
  Payload params;  // an encoded ValueMap, or empty
};

class HandlerExecutor {
 public:
  // Called by the pool's threads, and by `stop`, with at least one event; must not block.
  using Sink = std::function<void(std::vector<ExecEvent>)>;

  // `registry` must outlive the executor. `node` is the host's name, for reports. Throws
  // std::system_error when threads cannot be made.
  HandlerExecutor(const HandlerRegistry& registry, std::size_t threads, std::string node,
                  Sink sink);
  HandlerExecutor(const HandlerExecutor&) = delete;
  HandlerExecutor& operator=(const HandlerExecutor&) = delete;
  // Asks every handler to return, and waits until all have. See `shut_down`.
  ~HandlerExecutor();

  // Takes the jobs; each ends in exactly one Ended event. Any thread. `jobs` is left empty.
  void start(std::vector<HandlerJob>& jobs);
  // What has not begun ends as cancelled at once; what runs is asked to return. Unknown attempts
  // are ignored. Any thread. O(queued).
  void stop(const AttemptKey& attempt, StopCause cause);

  // Appends Started, once, for each attempt that has been running for `announce_after`, Progressed
  // where such a one had something new to say, and results that no thread has found the time to
  // hand over. Call it each few milliseconds while anything runs. Any thread. O(threads).
  void poll_running(Millis announce_after, std::vector<ExecEvent>& out);

  // Something was started whose end has not been handed over yet. Any thread.
  [[nodiscard]] bool busy() const { return held_.load(std::memory_order_relaxed) > 0; }

  // As the destructor, but waits no longer than `patience`. False when a handler did not return:
  // the process can then only be left by std::_Exit.
  [[nodiscard]] bool shut_down(Millis patience);

 private:
  class Slot;  // one per thread: what it is busy with
  void work(Slot& slot);
  Outcome run(const HandlerJob& job, Slot& slot) const;

  const HandlerRegistry& registry_;
  std::string node_;
  Sink sink_;

  std::atomic<std::size_t> held_{0};

  std::mutex mutex_;  // guards everything below, and what the slots hold
  std::condition_variable work_ready_;
  std::condition_variable thread_ended_;
  std::deque<HandlerJob> queue_;
  std::vector<ExecEvent> ended_;  // not handed to the sink yet
  std::chrono::steady_clock::time_point oldest_ended_;
  bool stopping_ = false;
  std::size_t live_threads_ = 0;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<std::thread> threads_;
};

}  // namespace taskpipe::worker
