#include "worker/core/log_outbox.hpp"

#include <utility>

#include "common/model/limits.hpp"
#include "worker/core/batch_budget.hpp"

namespace taskpipe::worker {

void LogOutbox::drop() {
  for (const LogItem& item : items_) dropped_bytes_ += item.data.size();
  items_.clear();
}

void LogOutbox::restart() {
  marks_.clear();
  sent_bytes_ = 0;
  read_bytes_ = 0;
}

void LogOutbox::flush(std::vector<Log>& out) {
  BatchBudget budget;
  bool open = false;
  for (LogItem& item : items_) {
    if (sent_bytes_ - read_bytes_ + item.data.size() > limits::kMaxLogBytesInFlight) {
      dropped_bytes_ += item.data.size();
      continue;
    }
    if (!open || !budget.admit(0, item.data)) {
      budget.restart();
      (void)budget.admit(0, item.data);
      out.emplace_back();
      open = true;
    }
    sent_bytes_ += item.data.size();
    out.back().items.push_back(std::move(item));
  }
  items_.clear();
}

bool LogOutbox::wants_ping() const {
  const std::uint64_t marked = marks_.empty() ? read_bytes_ : marks_.back().sent_bytes;
  return sent_bytes_ - marked >= limits::kLogBytesPerPing;
}

void LogOutbox::on_pong(std::uint64_t t) {
  while (!marks_.empty() && marks_.front().t <= t) {
    read_bytes_ = marks_.front().sent_bytes;
    marks_.pop_front();
  }
}

}  // namespace taskpipe::worker
