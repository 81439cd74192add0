// Pauses that double up to a cap, jittered so that clients of one broker do not act in step.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace taskpipe::client {

// SplitMix64 (Steele, Lea, Flood 2014): enough for jitter, and a seed reproduces it.
class Jitter {
 public:
  explicit Jitter(std::uint64_t seed) : state_(seed) {}

  // `base` doubled `doublings` times, at most `cap`, then moved by up to a fifth either way.
  [[nodiscard]] std::chrono::nanoseconds backoff(std::chrono::milliseconds base,
                                                 std::uint32_t doublings,
                                                 std::chrono::milliseconds cap) {
    const auto factor = std::int64_t{1} << std::min<std::uint32_t>(doublings, 20);
    const std::chrono::nanoseconds nominal = std::min(base * factor, cap);
    const std::int64_t fifth = nominal.count() / 5;
    if (fifth == 0) return nominal;
    const auto spread = static_cast<std::uint64_t>(2 * fifth + 1);
    return nominal + std::chrono::nanoseconds(static_cast<std::int64_t>(draw() % spread) - fifth);
  }

 private:
  std::uint64_t draw() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31U);
  }

  std::uint64_t state_;
};

}  // namespace taskpipe::client
