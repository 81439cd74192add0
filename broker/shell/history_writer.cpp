#include "broker/shell/history_writer.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <iterator>
#include <utility>

#include "common/model/limits.hpp"
#include "common/process/background_thread.hpp"

namespace taskpipe::broker {
namespace {

// A transaction that is not full waits a moment for more: each costs an fdatasync that the journal
// has to share the disk with.
constexpr std::chrono::milliseconds kLinger{50};

}  // namespace

HistoryWriter::HistoryWriter(std::unique_ptr<History> history, HistoryAnswers& answers, Hooks hooks,
                             std::chrono::milliseconds retry_after)
    : history_(std::move(history)),
      answers_(answers),
      hooks_(std::move(hooks)),
      retry_after_(retry_after),
      thread_([this] { run(); }) {}

HistoryWriter::~HistoryWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void HistoryWriter::store(HistoryBatch batch) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (batches_.empty()) oldest_batch_at_ = std::chrono::steady_clock::now();
    waiting_tasks_ += batch.tasks.size();
    batches_.push_back(std::move(batch));
    // In between it knows already when to look.
    wake = batches_.size() == 1 || transaction_is_full();
  }
  if (wake) wake_.notify_one();
}

std::size_t HistoryWriter::room_tasks(std::size_t lag_tasks) {
  const std::lock_guard lock(mutex_);
  most_tasks_ = lag_tasks > limits::kLongHistoryLagTasks ? limits::kLargeHistoryTransactionTasks
                                                         : limits::kHistoryTransactionTasks;
  if (full_until_) return 0;  // also during an attempt, which takes what waits and may put it back
  return most_tasks_ - std::min(waiting_tasks_, most_tasks_);
}

bool HistoryWriter::transaction_is_full() const {
  return !full_until_ && waiting_tasks_ >= most_tasks_;
}

std::chrono::steady_clock::time_point HistoryWriter::due_at() const {
  return full_until_.value_or(oldest_batch_at_ + kLinger);
}

void HistoryWriter::run() try {
  process::begin_background_thread("history-write", limits::kHistoryNiceness);
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !batches_.empty(); });
    if (batches_.empty()) return;
    wake_.wait_until(lock, due_at(), [this] { return stopping_ || transaction_is_full(); });
    std::vector<HistoryBatch> batches = std::exchange(batches_, {});
    waiting_tasks_ = 0;
    lock.unlock();
    const bool full = !commit(std::move(batches));
    lock.lock();
    if (full && stopping_) return;  // the journal has it, and the next start offers it again
  }
} catch (const std::exception& failure) {
  hooks_.on_failure(failure.what());
}

bool HistoryWriter::commit(std::vector<HistoryBatch> batches) {
  HistoryBatch all = std::move(batches.front());
  for (std::size_t i = 1; i < batches.size(); ++i) {
    std::move(batches[i].tasks.begin(), batches[i].tasks.end(), std::back_inserter(all.tasks));
    std::move(batches[i].workflows.begin(), batches[i].workflows.end(),
              std::back_inserter(all.workflows));
    std::move(batches[i].late.begin(), batches[i].late.end(), std::back_inserter(all.late));
    all.watermark = batches[i].watermark;
  }
  const bool was_full = full_until_.has_value();  // only this thread writes it
  try {
    history_->store(all.tasks, all.workflows, all.watermark);
    if (!all.late.empty()) history_->add_late(all.late);
  } catch (const HistoryFull& full) {
    if (!was_full && hooks_.on_full) hooks_.on_full(full.what());
    put_back(std::move(all));
    return false;
  }
  answers_.committed(all.watermark);
  if (!was_full) return true;
  if (hooks_.on_full) hooks_.on_full(std::nullopt);
  const std::lock_guard lock(mutex_);
  full_until_.reset();
  return true;
}

void HistoryWriter::put_back(HistoryBatch batch) {
  const std::lock_guard lock(mutex_);
  full_until_ = std::chrono::steady_clock::now() + retry_after_;
  waiting_tasks_ += batch.tasks.size();
  batches_.insert(batches_.begin(), std::move(batch));
}

}  // namespace taskpipe::broker
