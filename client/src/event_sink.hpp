// A subscription's way from the I/O thread to its callback.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>

#include "client/src/call_sink.hpp"
#include "client/src/callback_thread.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::client {

class EventSink final : public CallSink, public std::enable_shared_from_this<EventSink> {
 public:
  EventSink(std::function<void(const EventBatch&)> callback,
            std::shared_ptr<CallbackThread> callbacks)
      : callback_(std::move(callback)), callbacks_(std::move(callbacks)) {}

  // Beyond limits::kMaxQueuedEvents waiting batches the newest are dropped; the next one that gets
  // through is marked as following a gap.
  void deliver(CallId call, Delivery&& what, bool last) noexcept override;

  // The callback does not start any more; waits for one that is running, unless it is the caller.
  void end();

 private:
  void run(const std::shared_ptr<const EventBatch>& batch, bool after_loss);

  std::function<void(const EventBatch&)> callback_;
  std::shared_ptr<CallbackThread> callbacks_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t waiting_ = 0;
  bool lost_ = false;
  bool running_ = false;
  bool ended_ = false;
};

}  // namespace taskpipe::client
