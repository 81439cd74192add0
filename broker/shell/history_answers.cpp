#include "broker/shell/history_answers.hpp"

#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::broker {
namespace {

std::uint64_t payload_bytes_of(const command::LookupAnswered& answer) {
  std::uint64_t bytes = 0;
  for (const auto& task : answer.tasks) bytes += task.params.size() + task.outcome.report.size();
  return bytes;
}

}  // namespace

bool HistoryAnswers::begin_reading() {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return closed_ || unread_bytes_ < limits::kMaxUnreadAnswerBytes; });
  reading_ = !closed_;
  return reading_;
}

void HistoryAnswers::answered(command::LookupAnswered answer) {
  const std::lock_guard lock(mutex_);
  unread_bytes_ += payload_bytes_of(answer);
  mailbox_.post(std::move(answer));
  if (const auto watermark = std::exchange(held_back_, std::nullopt)) {
    mailbox_.post(command::HistoryCommitted{*watermark});
  }
  reading_ = false;
}

void HistoryAnswers::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  room_.notify_one();
}

void HistoryAnswers::committed(Lsn watermark) {
  const std::lock_guard lock(mutex_);
  if (reading_) {
    held_back_ = watermark;  // it covers what an earlier one did
  } else {
    mailbox_.post(command::HistoryCommitted{watermark});
  }
}

void HistoryAnswers::take(std::vector<Command>& out) {
  bool waited = false;
  {
    const std::lock_guard lock(mutex_);
    mailbox_.take(out);
    waited = unread_bytes_ >= limits::kMaxUnreadAnswerBytes;
    unread_bytes_ = 0;
  }
  if (waited) room_.notify_one();
}

}  // namespace taskpipe::broker
