// The time that is left of a call of TaskPipeline.
#pragma once

#include <chrono>
#include <optional>

#include "common/model/time.hpp"

namespace taskpipe::client {

// Counts from its making. One thread.
class Countdown {
 public:
  // Nothing: without limit. InvalidArgumentError about "timeout" for one that is out of bounds.
  explicit Countdown(const std::optional<Millis>& timeout);

  [[nodiscard]] const std::optional<Millis>& timeout() const { return timeout_; }
  // Rounded up: the call that is given it ends after the timeout, never before.
  [[nodiscard]] std::optional<Millis> left() const;
  [[nodiscard]] bool over() const { return end_ && Clock::now() >= *end_; }
  // Sleeps so long, or until it is over.
  void pause(Millis most) const;

 private:
  using Clock = std::chrono::steady_clock;
  std::optional<Millis> timeout_;
  std::optional<Clock::time_point> end_;
};

}  // namespace taskpipe::client
