// How many lines of a kind may be written down in a minute: whoever knocks again and again may fill
// neither the disk nor the audit log's queue.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include "common/model/limits.hpp"
#include "common/model/time.hpp"

namespace taskpipe::broker {

class MinuteBudget {
 public:
  struct Decision {
    bool write = false;
    std::uint64_t unwritten = 0;  // of the minute that is over with this one, to be told first
  };

  // One more. The first minute begins with the first of all, the next with the first behind it.
  [[nodiscard]] Decision take(MonotonicTime now) {
    constexpr std::chrono::seconds kMinute{60};
    Decision decision;
    if (written_ == 0 || now - began_ >= kMinute) {
      decision.unwritten = std::exchange(unwritten_, 0);
      began_ = now;
      written_ = 0;
    }
    decision.write = written_ < limits::kMaxAuditedPerMinute;
    ++(decision.write ? written_ : unwritten_);
    return decision;
  }

 private:
  MonotonicTime began_;
  std::uint64_t written_ = 0;
  std::uint64_t unwritten_ = 0;
};

}  // namespace taskpipe::broker
