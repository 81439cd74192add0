// Questions to the history, on a thread and a connection of their own: they wait for no
// transaction. Only the news of one waits for the answer that is being read (HistoryAnswers).
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "broker/core/effect.hpp"
#include "broker/history/history.hpp"
#include "broker/shell/history_answers.hpp"

namespace taskpipe::broker {

class HistoryReader {
 public:
  // `history` is only read. `on_failure` runs on the reader's thread, at most once: the history
  // cannot be read, and the broker must end.
  HistoryReader(std::unique_ptr<History> history, HistoryAnswers& answers,
                std::function<void(std::string)> on_failure);
  HistoryReader(const HistoryReader&) = delete;
  HistoryReader& operator=(const HistoryReader&) = delete;
  // What was asked and is not answered stays so.
  ~HistoryReader();

  // Loop thread. Answers come in the order of the questions.
  void look_up(HistoryLookup lookup);

 private:
  void run();
  [[nodiscard]] command::LookupAnswered read(const HistoryLookup& lookup);

  std::unique_ptr<History> history_;
  HistoryAnswers& answers_;
  std::function<void(std::string)> on_failure_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<HistoryLookup> lookups_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses everything above
};

}  // namespace taskpipe::broker
