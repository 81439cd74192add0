#include "client/src/pipeline_countdown.hpp"

#include <algorithm>
#include <thread>

#include "common/model/limits.hpp"
#include "taskpipe/pipeline_errors.hpp"

namespace taskpipe::client {

Countdown::Countdown(const std::optional<Millis>& timeout) : timeout_(timeout) {
  if (!timeout) return;
  if (*timeout < Millis(0) || *timeout > Millis(limits::kMaxCallTimeoutMs)) {
    throw InvalidArgumentError("timeout is negative or beyond all bounds", "timeout");
  }
  end_ = Clock::now() + *timeout;
}

std::optional<Millis> Countdown::left() const {
  if (!end_) return std::nullopt;
  return std::max(std::chrono::ceil<Millis>(*end_ - Clock::now()), Millis(0));
}

void Countdown::pause(Millis most) const {
  std::this_thread::sleep_for(std::min(most, left().value_or(most)));
}

}  // namespace taskpipe::client
