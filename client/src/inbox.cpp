#include "client/src/inbox.hpp"

#include <utility>
#include <variant>

namespace taskpipe::client {

void Inbox::deliver(CallId call, Delivery&& what, bool last) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (std::holds_alternative<delivery::EventsArrived>(what)) {
      if (queued_events_ >= limits::kMaxQueuedEvents) {
        lost_events_ = true;
        return;
      }
      ++queued_events_;
    }
    items_.push_back(Item{call, std::move(what), last});
  }
  arrived_.notify_one();
}

bool Inbox::take(std::vector<Item>& out, const std::stop_token& stop) {
  out.clear();
  std::unique_lock lock(mutex_);
  const auto something = [this] { return !items_.empty(); };
  if (!arrived_.wait(lock, stop, something)) return false;
  std::swap(out, items_);
  queued_events_ = 0;
  return true;
}

bool Inbox::lost_events() {
  const std::lock_guard lock(mutex_);
  return std::exchange(lost_events_, false);
}

}  // namespace taskpipe::client
