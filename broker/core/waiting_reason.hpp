// Why a task that is pending has not started: a sentence for whoever asks.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include "broker/core/state.hpp"

namespace taskpipe::broker {

// Different needs that are looked into for one question, so that none holds up the loop.
inline constexpr std::size_t kMaxWaitingReasons = 32;

// Of one question's rows: tasks of the same needs are answered once, by a look at the workers that
// offer their tool. Nothing is told of other owners' tasks.
class WaitingReasons {
 public:
  explicit WaitingReasons(const State& state) : state_(state) {}

  // Empty when the task is not pending, or is about to be placed.
  [[nodiscard]] std::string of(TaskSlot slot);

 private:
  [[nodiscard]] std::string of_signature(SignatureIndex index, const std::string& tool_name) const;

  const State& state_;
  std::unordered_map<std::uint32_t, std::string> by_signature_;
};

}  // namespace taskpipe::broker
