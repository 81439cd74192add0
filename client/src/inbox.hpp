// The sink of a blocking call: its thread waits here for what the I/O thread delivers.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
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

  // Waits until something was delivered and moves all of it to `out`; true with nothing in it after
  // `poke`. False when `stop` was requested, or `keep_waiting` (which may be empty) said no, first:
  // nothing was moved then.
  [[nodiscard]] bool take(std::vector<Item>& out, const std::stop_token& stop,
                          const std::function<bool()>& keep_waiting = {});
  // Lets who takes, or will take next, look at something else. Any thread.
  void poke();
  [[nodiscard]] bool empty() const;
  // Whether event messages were dropped since the last question, because more than
  // limits::kMaxQueuedEvents were waiting. Nothing else is ever dropped.
  [[nodiscard]] bool lost_events();

 private:
  [[nodiscard]] bool wait(std::unique_lock<std::mutex>& lock, const std::stop_token& stop,
                          const std::function<bool()>& keep_waiting);

  mutable std::mutex mutex_;
  std::condition_variable_any arrived_;
  std::vector<Item> items_;
  std::size_t queued_events_ = 0;
  bool lost_events_ = false;
  bool poked_ = false;
};

}  // namespace taskpipe::client
