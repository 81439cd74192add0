#include "client/src/inbox.hpp"

#include <utility>
#include <variant>

#include "common/model/time.hpp"

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

bool Inbox::wait(std::unique_lock<std::mutex>& lock, const std::stop_token& stop,
                 const std::function<bool()>& keep_waiting) {
  const auto something = [this] { return !items_.empty() || poked_; };
  if (!keep_waiting) return arrived_.wait(lock, stop, something);
  for (;;) {
    if (arrived_.wait_for(lock, stop, Millis(limits::kAttentionMs), something)) return true;
    if (stop.stop_requested()) return false;
    // Unlocked: it may take its time, and deliveries must not wait for it.
    lock.unlock();
    const bool go_on = keep_waiting();
    lock.lock();
    if (!go_on) return !items_.empty();
  }
}

bool Inbox::take(std::vector<Item>& out, const std::stop_token& stop,
                 const std::function<bool()>& keep_waiting) {
  out.clear();
  std::unique_lock lock(mutex_);
  if (!wait(lock, stop, keep_waiting)) return false;
  std::swap(out, items_);
  queued_events_ = 0;
  poked_ = false;
  return true;
}

void Inbox::poke() {
  {
    const std::lock_guard lock(mutex_);
    poked_ = true;
  }
  arrived_.notify_one();
}

bool Inbox::empty() const {
  const std::lock_guard lock(mutex_);
  return items_.empty();
}

bool Inbox::lost_events() {
  const std::lock_guard lock(mutex_);
  return std::exchange(lost_events_, false);
}

}  // namespace taskpipe::client
