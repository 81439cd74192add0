// What the measuring programs share: the clock, and how figures are printed.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <utility>
#include <vector>

namespace taskpipe::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Places of a histogram for each doubling; one is 9 % wide.
inline constexpr int kPlacesPerDoubling = 8;

// "histogram": [[lower edge in us, how many], …], empty places left out. `sorted`: ascending.
inline void print_histogram(const std::vector<double>& sorted) {
  std::printf("\"histogram\": [");
  const auto place_of = [](double us) {
    return static_cast<int>(std::floor(std::log2(std::max(us, 1.0)) * kPlacesPerDoubling));
  };
  const char* separator = "";
  for (auto at = sorted.begin(); at != sorted.end();) {
    const int place = place_of(*at);
    const auto end =
        std::find_if(at, sorted.end(), [&](double us) { return place_of(us) > place; });
    std::printf("%s[%.2f, %td]", std::exchange(separator, ", "),
                std::exp2(static_cast<double>(place) / kPlacesPerDoubling), end - at);
    at = end;
  }
  std::printf("]");
}

// "p10_us": …, "p50_us": …, …, "max_us": …, "histogram": …; without braces, so that more can be
// said beside it.
inline void print_quantiles(std::vector<double> microseconds) {
  static constexpr std::array<std::pair<const char*, double>, 6> kQuantiles = {
      {{"p10", 0.10}, {"p50", 0.50}, {"p90", 0.90}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1.0}}};
  std::sort(microseconds.begin(), microseconds.end());
  const char* separator = "";
  for (const auto& [name, share] : kQuantiles) {
    const auto at = static_cast<std::size_t>(share * static_cast<double>(microseconds.size()));
    const double value =
        microseconds.empty() ? 0 : microseconds[std::min(at, microseconds.size() - 1)];
    std::printf("%s\"%s_us\": %.1f", separator, name, value);
    separator = ", ";
  }
  std::printf(", ");
  print_histogram(microseconds);
}

// Calls `trip` one after the other and prints how long each took, but for the first `warm_up`.
template <class Trip>
void print_round_trips(std::size_t count, std::size_t warm_up, Trip trip) {
  std::vector<double> microseconds;
  for (std::size_t i = 0; i < warm_up + count; ++i) {
    const auto start = Clock::now();
    trip();
    if (i >= warm_up) microseconds.push_back(1e6 * seconds_since(start));
  }
  std::printf("{");
  print_quantiles(std::move(microseconds));
  std::printf("}\n");
}

// {"tasks_per_s": …, "at_s": […], "finished": […]}
inline void print_curve(double tasks_per_s,
                        const std::vector<std::pair<double, std::size_t>>& curve) {
  std::printf("{\"tasks_per_s\": %.0f, \"at_s\": [", tasks_per_s);
  const char* separator = "";
  for (const auto& point : curve) {
    std::printf("%s%.2f", std::exchange(separator, ", "), point.first);
  }
  separator = "], \"finished\": [";
  for (const auto& point : curve) {
    std::printf("%s%zu", std::exchange(separator, ", "), point.second);
  }
  std::printf("%s]}\n", curve.empty() ? separator : "");
}

}  // namespace taskpipe::bench
