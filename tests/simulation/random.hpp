// The simulator's only source of chance: a seed repeats a run exactly, on every machine.
#pragma once

#include <chrono>
#include <cstdint>

namespace taskpipe::simulation {

using Nanos = std::chrono::nanoseconds;

// SplitMix64 (Steele, Lea, Flood 2014). The standard's distributions differ between libraries, so
// that they would not repeat; these do.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31U);
  }
  // 0 … bound−1; bound > 0.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return low + below(high - low + 1);
  }
  // True `per_mille` times of a thousand.
  bool chance(std::uint64_t per_mille) { return below(1000) < per_mille; }
  Nanos between(Nanos low, Nanos high) {
    return low + Nanos(below(static_cast<std::uint64_t>((high - low).count()) + 1));
  }
  // Mostly short, sometimes long: each step of ten between the two is as likely as the next.
  Nanos scaled(Nanos low, Nanos high) {
    Nanos top = low;
    while (top * 10 < high) top *= 10;
    std::uint64_t decades = 1;
    for (Nanos t = low; t < top; t *= 10) ++decades;
    Nanos from = low;
    for (std::uint64_t i = below(decades); i > 0; --i) from *= 10;
    return between(from, from * 10 < high ? from * 10 : high);
  }
  // An independent stream, so that one part's draws do not move another's.
  Random fork() { return Random(next()); }

 private:
  std::uint64_t state_;
};

}  // namespace taskpipe::simulation
