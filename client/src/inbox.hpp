// The sink of a blocking call: its thread waits here for what the I/O thread delivers.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <stop_token>
#include <vector>

#include "client/src/call_sink.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::client {

class Inbox final : public CallSink {
 public:
  struct Item {
    CallId call;
    Delivery what;
    bool last = false;
  };

  void deliver(CallId call, Delivery&& what, bool last) noexcept override;

  // Waits until something was delivered and moves all of it to `out`. False when `stop` was
  // requested first: nothing was moved then.
  [[nodiscard]] bool take(std::vector<Item>& out, const std::stop_token& stop);
  // Whether event messages were dropped since the last question, because more than
  // limits::kMaxQueuedEvents were waiting. Nothing else is ever dropped.
  [[nodiscard]] bool lost_events();

 private:
  std::mutex mutex_;
  std::condition_variable_any arrived_;
  std::vector<Item> items_;
  std::size_t queued_events_ = 0;
  bool lost_events_ = false;
};

}  // namespace taskpipe::client
