// The history on a thread of its own: large transactions must not hold up the loop.
//
// What ended is collected into transactions that grow with the load; questions are answered between
// them, first, but hold up no transaction that is due. Answers come back as commands through a
// mailbox.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "broker/core/command.hpp"
#include "broker/core/effect.hpp"
#include "broker/history/history.hpp"
#include "common/process/mailbox.hpp"

namespace taskpipe::broker {

class HistoryThread {
 public:
  // `on_failure` runs on the history thread when the history cannot be written; the broker must end
  // then. It is called at most once.
  HistoryThread(std::unique_ptr<History> history, std::function<void(std::string)> on_failure);
  HistoryThread(const HistoryThread&) = delete;
  HistoryThread& operator=(const HistoryThread&) = delete;
  // Stores what was handed over, then stops.
  ~HistoryThread();

  // Loop thread.
  void store(HistoryBatch batch);
  void look_up(HistoryLookup lookup);
  [[nodiscard]] process::Mailbox<Command>& answers() { return answers_; }

 private:
  void run();
  void answer(HistoryLookup lookup);
  void commit(std::vector<HistoryBatch> batches);
  // What waits makes a full transaction, or has waited long enough for more.
  [[nodiscard]] bool transaction_is_full() const;
  [[nodiscard]] bool transaction_is_due() const;

  std::unique_ptr<History> history_;
  std::function<void(std::string)> on_failure_;
  process::Mailbox<Command> answers_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<HistoryBatch> batches_;
  std::size_t waiting_tasks_ = 0;                          // in all batches
  std::chrono::steady_clock::time_point oldest_batch_at_;  // when batches_[0] came
  std::vector<HistoryLookup> lookups_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses everything above
};

}  // namespace taskpipe::broker
