// What has ended, into the history, on a thread of its own: large transactions must not hold up the
// loop.
//
// They grow with the load, up to a bound. The thread yields to everybody that tasks wait for: it
// runs at a lower priority (limits::kHistoryNiceness).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "broker/core/effect.hpp"
#include "broker/history/history.hpp"
#include "broker/shell/history_answers.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::broker {

class HistoryWriter {
 public:
  // Both run on the writer's thread.
  struct Hooks {
    // The history cannot be written; the broker must end. Called at most once.
    std::function<void(std::string)> on_failure;
    // The disk has become full (the reason), or has room again (nothing). What ended waits here and
    // in the journal meanwhile.
    std::function<void(std::optional<std::string>)> on_full = {};
  };
  // What is committed is told through `answers`. `retry_after`: how long to wait before a full disk
  // is tried again.
  HistoryWriter(std::unique_ptr<History> history, HistoryAnswers& answers, Hooks hooks,
                std::chrono::milliseconds retry_after = std::chrono::seconds(1));
  HistoryWriter(const HistoryWriter&) = delete;
  HistoryWriter& operator=(const HistoryWriter&) = delete;
  // Stores what was handed over, then stops.
  ~HistoryWriter();

  // Loop thread.
  void store(HistoryBatch batch);
  // How many tasks more the next transaction should have; 0 = it is full. `lag_tasks`: so many have
  // ended and are not stored.
  [[nodiscard]] std::size_t room_tasks(std::size_t lag_tasks);

 private:
  void run();
  // False when the disk is full: all of it waits for the next time.
  bool commit(std::vector<HistoryBatch> batches);
  void put_back(HistoryBatch batch);
  [[nodiscard]] bool transaction_is_full() const;
  // When it has waited long enough for more, full or not.
  [[nodiscard]] std::chrono::steady_clock::time_point due_at() const;

  std::unique_ptr<History> history_;
  HistoryAnswers& answers_;
  Hooks hooks_;
  const std::chrono::milliseconds retry_after_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<HistoryBatch> batches_;
  std::size_t waiting_tasks_ = 0;                                    // in all batches
  std::size_t most_tasks_ = limits::kHistoryTransactionTasks;        // of the next transaction
  std::chrono::steady_clock::time_point oldest_batch_at_;            // when batches_[0] came
  std::optional<std::chrono::steady_clock::time_point> full_until_;  // no room before, it is taken
  bool stopping_ = false;
  std::thread thread_;  // last: it uses everything above
};

}  // namespace taskpipe::broker
