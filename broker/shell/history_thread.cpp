#include "broker/shell/history_thread.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <iterator>
#include <utility>
#include <variant>

#include "common/model/limits.hpp"
#include "common/process/background_thread.hpp"

namespace taskpipe::broker {
namespace {

// A transaction that is not full waits a moment for more: each costs an fdatasync that the journal
// has to share the disk with.
constexpr std::chrono::milliseconds kLinger{50};

struct Answerer {
  History& history;
  command::LookupAnswered& answer;

  void operator()(const HistoryLookup::Tasks& what) const {
    answer.tasks = history.find_tasks(what.ids);
  }
  void operator()(const HistoryLookup::Workflows& what) const {
    answer.workflows = history.find_workflows(what.ids);
  }
  void operator()(const HistoryLookup::Listing& what) const {
    HistoryPage page = history.list(what.owner, what.filter, what.cursor, what.limit);
    answer.tasks = std::move(page.tasks);
    answer.next = std::move(page.next);
  }
};

std::uint64_t payload_bytes_of(const command::LookupAnswered& answer) {
  std::uint64_t bytes = 0;
  for (const auto& task : answer.tasks) bytes += task.params.size() + task.outcome.report.size();
  return bytes;
}

}  // namespace

HistoryThread::HistoryThread(std::unique_ptr<History> history, Hooks hooks,
                             std::chrono::milliseconds retry_after)
    : history_(std::move(history)),
      hooks_(std::move(hooks)),
      retry_after_(retry_after),
      thread_([this] { run(); }) {}

HistoryThread::~HistoryThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void HistoryThread::store(HistoryBatch batch) {
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

std::size_t HistoryThread::room_tasks(std::size_t lag_tasks) {
  const std::lock_guard lock(mutex_);
  most_tasks_ = lag_tasks > limits::kLongHistoryLagTasks ? limits::kLargeHistoryTransactionTasks
                                                         : limits::kHistoryTransactionTasks;
  if (full_until_) return 0;  // also during an attempt, which takes what waits and may put it back
  return most_tasks_ - std::min(waiting_tasks_, most_tasks_);
}

void HistoryThread::look_up(HistoryLookup lookup) {
  {
    const std::lock_guard lock(mutex_);
    lookups_.push_back(std::move(lookup));
  }
  wake_.notify_one();
}

bool HistoryThread::transaction_is_full() const {
  return !full_until_ && waiting_tasks_ >= most_tasks_;
}

std::chrono::steady_clock::time_point HistoryThread::due_at() const {
  return full_until_.value_or(oldest_batch_at_ + kLinger);
}

bool HistoryThread::transaction_is_due() const {
  if (batches_.empty()) return false;
  return transaction_is_full() || std::chrono::steady_clock::now() >= due_at();
}

void HistoryThread::run() try {
  process::begin_background_thread("history", limits::kHistoryNiceness);
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !batches_.empty() || !lookups_.empty(); });
    if (lookups_.empty() && !stopping_) {
      wake_.wait_until(lock, due_at(),
                       [this] { return stopping_ || !lookups_.empty() || transaction_is_full(); });
    }
    std::vector<HistoryLookup> lookups = std::exchange(lookups_, {});
    std::vector<HistoryBatch> batches;
    if (lookups.empty() || transaction_is_due()) {
      batches = std::exchange(batches_, {});
      waiting_tasks_ = 0;
    }
    if (lookups.empty() && batches.empty() && stopping_) return;
    lock.unlock();
    for (auto& lookup : lookups) answer(std::move(lookup));
    const bool full = !batches.empty() && !commit(std::move(batches));
    lock.lock();
    if (full && stopping_) return;  // the journal has it, and the next start offers it again
  }
} catch (const std::exception& failure) {
  hooks_.on_failure(failure.what());
}

void HistoryThread::answer(HistoryLookup lookup) {
  {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stopping_ || unread_bytes_ < limits::kMaxUnreadAnswerBytes; });
  }
  command::LookupAnswered answered;
  answered.ticket = lookup.ticket;
  std::visit(Answerer{*history_, answered}, lookup.what);
  const std::uint64_t bytes = payload_bytes_of(answered);
  {
    const std::lock_guard lock(mutex_);
    unread_bytes_ += bytes;
  }
  answers_.post(std::move(answered));
}

void HistoryThread::take_answers(std::vector<Command>& out) {
  answers_.take(out);
  bool waited = false;
  {
    // What was counted and is not posted yet comes with the next; it is one answer at most.
    const std::lock_guard lock(mutex_);
    waited = unread_bytes_ >= limits::kMaxUnreadAnswerBytes;
    unread_bytes_ = 0;
  }
  if (waited) wake_.notify_one();
}

bool HistoryThread::commit(std::vector<HistoryBatch> batches) {
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
  answers_.post(command::HistoryCommitted{all.watermark});
  if (!was_full) return true;
  if (hooks_.on_full) hooks_.on_full(std::nullopt);
  const std::lock_guard lock(mutex_);
  full_until_.reset();
  return true;
}

void HistoryThread::put_back(HistoryBatch batch) {
  const std::lock_guard lock(mutex_);
  full_until_ = std::chrono::steady_clock::now() + retry_after_;
  waiting_tasks_ += batch.tasks.size();
  batches_.insert(batches_.begin(), std::move(batch));
}

}  // namespace taskpipe::broker
