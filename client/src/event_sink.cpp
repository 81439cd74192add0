#include "client/src/event_sink.hpp"

#include <utility>
#include <variant>

#include "common/model/limits.hpp"

namespace taskpipe::client {

void EventSink::deliver(CallId, Delivery&& what, bool) noexcept {
  auto* arrived = std::get_if<delivery::EventsArrived>(&what);
  if (arrived == nullptr) return;  // the client was closed
  bool after_loss = false;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    if (waiting_ >= limits::kMaxQueuedEvents) {
      lost_ = true;
      return;
    }
    ++waiting_;
    after_loss = std::exchange(lost_, false);
  }
  callbacks_->post([self = shared_from_this(), batch = std::move(arrived->batch), after_loss] {
    self->run(batch, after_loss);
  });
}

void EventSink::run(const std::shared_ptr<const EventBatch>& batch, bool after_loss) {
  {
    const std::lock_guard lock(mutex_);
    --waiting_;
    if (ended_) return;
    running_ = true;
  }
  if (after_loss && !batch->gap) {
    EventBatch marked = *batch;
    marked.gap = true;
    callback_(marked);
  } else {
    callback_(*batch);
  }
  {
    const std::lock_guard lock(mutex_);
    running_ = false;
  }
  idle_.notify_all();
}

void EventSink::end() {
  std::function<void(const EventBatch&)> callback;
  std::unique_lock lock(mutex_);
  ended_ = true;
  // What the callback owns must not be destroyed on the I/O thread, which may hold this sink last,
  // nor while it runs.
  if (callbacks_->is_this_thread()) {
    callbacks_->post([self = shared_from_this()] { self->callback_ = nullptr; });
    return;
  }
  idle_.wait(lock, [this] { return !running_; });
  std::swap(callback, callback_);
}

}  // namespace taskpipe::client
