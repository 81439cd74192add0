// The history on a thread of its own: large transactions must not hold up the loop.
//
// What ended is collected into transactions that grow with the load, up to a bound; questions are
// answered between them, first, but hold up no transaction that is due. Answers come back as
// commands through a mailbox. The thread yields to those that tasks wait for: it runs at a lower
// priority (limits::kHistoryNiceness).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "broker/core/command.hpp"
#include "broker/core/effect.hpp"
#include "broker/history/history.hpp"
#include "common/model/limits.hpp"
#include "common/process/mailbox.hpp"

namespace taskpipe::broker {

class HistoryThread {
 public:
  // Both run on the history thread.
  struct Hooks {
    // The history cannot be written; the broker must end. Called at most once.
    std::function<void(std::string)> on_failure;
    // The disk has become full (the reason), or has room again (nothing). What ended waits here and
    // in the journal meanwhile.
    std::function<void(std::optional<std::string>)> on_full = {};
  };
  // `retry_after`: how long to wait before a full disk is tried again.
  HistoryThread(std::unique_ptr<History> history, Hooks hooks,
                std::chrono::milliseconds retry_after = std::chrono::seconds(1));
  HistoryThread(const HistoryThread&) = delete;
  HistoryThread& operator=(const HistoryThread&) = delete;
  // Stores what was handed over, then stops.
  ~HistoryThread();

  // Loop thread.
  void store(HistoryBatch batch);
  // How many tasks more the next transaction should have; 0 = it is full. `lag_tasks`: so many have
  // ended and are not stored.
  [[nodiscard]] std::size_t room_tasks(std::size_t lag_tasks);
  void look_up(HistoryLookup lookup);
  // Of the mailbox that answers come through; take them by `take_answers`.
  [[nodiscard]] int answers_fd() const { return answers_.fd(); }
  // Everything answered so far, into `out` (cleared first). Questions wait while
  // limits::kMaxUnreadAnswerBytes of params and reports are not taken.
  void take_answers(std::vector<Command>& out);

 private:
  void run();
  void answer(HistoryLookup lookup);
  // False when the disk is full: all of it waits for the next time.
  bool commit(std::vector<HistoryBatch> batches);
  void put_back(HistoryBatch batch);
  // What waits makes a full transaction, or has waited long enough for more.
  [[nodiscard]] bool transaction_is_full() const;
  [[nodiscard]] bool transaction_is_due() const;
  [[nodiscard]] std::chrono::steady_clock::time_point due_at() const;

  std::unique_ptr<History> history_;
  Hooks hooks_;
  const std::chrono::milliseconds retry_after_;
  process::Mailbox<Command> answers_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<HistoryBatch> batches_;
  std::uint64_t unread_bytes_ = 0;                                   // of answers, not taken yet
  std::size_t waiting_tasks_ = 0;                                    // in all batches
  std::size_t most_tasks_ = limits::kHistoryTransactionTasks;        // of the next transaction
  std::chrono::steady_clock::time_point oldest_batch_at_;            // when batches_[0] came
  std::optional<std::chrono::steady_clock::time_point> full_until_;  // no room before, it is taken
  std::vector<HistoryLookup> lookups_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses everything above
};

}  // namespace taskpipe::broker
