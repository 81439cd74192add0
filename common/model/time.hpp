// Two kinds of time that must never be mixed.
//
// MonotonicTime drives leases, deadlines and order; it means nothing outside its process.
// WallTime informs people and calendars; it may jump. The cores receive both as `Now`, read once
// per loop turn by the shell.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace taskpipe {

using Millis = std::chrono::milliseconds;
using Micros = std::chrono::microseconds;

// Nanoseconds on the process's monotonic clock.
struct MonotonicTime {
  std::chrono::nanoseconds since_start{0};

  friend constexpr auto operator<=>(const MonotonicTime&, const MonotonicTime&) = default;
  friend constexpr MonotonicTime operator+(MonotonicTime t, std::chrono::nanoseconds d) {
    return MonotonicTime{t.since_start + d};
  }
  friend constexpr std::chrono::nanoseconds operator-(MonotonicTime a, MonotonicTime b) {
    return a.since_start - b.since_start;
  }
};

// Milliseconds since 1970-01-01T00:00:00Z; 0 = not set.
struct WallTime {
  std::int64_t unix_ms = 0;
  friend constexpr auto operator<=>(const WallTime&, const WallTime&) = default;
};

struct Now {
  MonotonicTime monotonic;
  WallTime wall;
};

}  // namespace taskpipe
