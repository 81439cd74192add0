// The thread in front of the history: questions first, but never instead of what has ended.
#include "broker/shell/history_thread.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <utility>

namespace taskpipe::broker {
namespace {

using namespace std::chrono_literals;

// Asks the next question before it has answered the one at hand, so that one always waits.
class BusyHistory final : public History {
 public:
  [[nodiscard]] Lsn watermark() const override { return {}; }
  [[nodiscard]] Arrival last_arrival() const override { return {}; }
  void store(std::span<const FinishedTask> tasks, std::span<const FinishedWorkflow> /*workflows*/,
             Lsn watermark) override {
    stored_.set_value({tasks.size(), watermark});
  }
  [[nodiscard]] std::vector<FinishedTask> find_tasks(std::span<const TaskId> /*ids*/) override {
    ++answered_;
    if (busy_) thread_->look_up({1, HistoryLookup::Tasks{}});
    return {};
  }
  [[nodiscard]] std::vector<FinishedWorkflow> find_workflows(
      std::span<const WorkflowId> /*ids*/) override {
    return {};
  }
  [[nodiscard]] HistoryPage list(const std::string& /*owner*/, const QueryFilter& /*filter*/,
                                 const std::string& /*cursor*/, std::uint32_t /*limit*/) override {
    return {};
  }

  HistoryThread* thread_ = nullptr;
  std::atomic<bool> busy_ = true;
  std::atomic<std::uint64_t> answered_ = 0;
  std::promise<std::pair<std::size_t, Lsn>> stored_;
};

TEST(HistoryThread, StoresWhatEndedAlsoWhileQuestionsNeverCease) {
  auto owned = std::make_unique<BusyHistory>();
  BusyHistory& history = *owned;
  HistoryThread thread(std::move(owned), [](const std::string&) {});
  history.thread_ = &thread;
  auto stored = history.stored_.get_future();
  thread.look_up({1, HistoryLookup::Tasks{}});
  thread.store({{FinishedTask{}, FinishedTask{}}, {}, Lsn(7)});
  const bool in_time = stored.wait_for(20s) == std::future_status::ready;
  history.busy_ = false;
  ASSERT_TRUE(in_time) << "after " << history.answered_ << " answers nothing was stored";
  EXPECT_EQ(stored.get(), std::pair(std::size_t{2}, Lsn(7)));
}

}  // namespace
}  // namespace taskpipe::broker
