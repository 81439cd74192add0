#include "broker/shell/stall.hpp"

#include <chrono>

#include "common/model/limits.hpp"

namespace taskpipe::broker {

std::optional<command::LoopStalled> stall_between(const Now& before, std::optional<Millis> allowed,
                                                  const Now& after) {
  if (!allowed) return std::nullopt;
  const auto away = after.monotonic - before.monotonic - *allowed;
  if (away < Millis(limits::kHeartbeatMs)) return std::nullopt;
  return command::LoopStalled{std::chrono::duration_cast<Millis>(away)};
}

}  // namespace taskpipe::broker
