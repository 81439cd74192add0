#include "broker/shell/history_thread.hpp"

#include <chrono>
#include <exception>
#include <iterator>
#include <utility>
#include <variant>

namespace taskpipe::broker {
namespace {

// A transaction below this many rows waits a moment for more: each costs an fdatasync that the
// journal has to share the disk with.
constexpr std::size_t kFullTransactionRows = 4096;
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

}  // namespace

HistoryThread::HistoryThread(std::unique_ptr<History> history,
                             std::function<void(std::string)> on_failure)
    : history_(std::move(history)),
      on_failure_(std::move(on_failure)),
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
  {
    const std::lock_guard lock(mutex_);
    if (batches_.empty()) oldest_batch_at_ = std::chrono::steady_clock::now();
    waiting_tasks_ += batch.tasks.size();
    batches_.push_back(std::move(batch));
  }
  wake_.notify_one();
}

void HistoryThread::look_up(HistoryLookup lookup) {
  {
    const std::lock_guard lock(mutex_);
    lookups_.push_back(std::move(lookup));
  }
  wake_.notify_one();
}

bool HistoryThread::transaction_is_full() const { return waiting_tasks_ >= kFullTransactionRows; }

bool HistoryThread::transaction_is_due() const {
  if (batches_.empty()) return false;
  return transaction_is_full() || std::chrono::steady_clock::now() - oldest_batch_at_ >= kLinger;
}

void HistoryThread::run() try {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !batches_.empty() || !lookups_.empty(); });
    if (lookups_.empty() && !stopping_) {
      wake_.wait_until(lock, oldest_batch_at_ + kLinger,
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
    if (!batches.empty()) commit(std::move(batches));
    lock.lock();
  }
} catch (const std::exception& failure) {
  on_failure_(failure.what());
}

void HistoryThread::answer(HistoryLookup lookup) {
  command::LookupAnswered answered;
  answered.ticket = lookup.ticket;
  std::visit(Answerer{*history_, answered}, lookup.what);
  answers_.post(std::move(answered));
}

void HistoryThread::commit(std::vector<HistoryBatch> batches) {
  HistoryBatch all = std::move(batches.front());
  for (std::size_t i = 1; i < batches.size(); ++i) {
    std::move(batches[i].tasks.begin(), batches[i].tasks.end(), std::back_inserter(all.tasks));
    std::move(batches[i].workflows.begin(), batches[i].workflows.end(),
              std::back_inserter(all.workflows));
    all.watermark = batches[i].watermark;
  }
  history_->store(all.tasks, all.workflows, all.watermark);
  answers_.post(command::HistoryCommitted{all.watermark});
}

}  // namespace taskpipe::broker
