#include "common/process/clock.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace taskpipe::process {

Now read_clock() {
  const auto monotonic = std::chrono::steady_clock::now().time_since_epoch();
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return Now{MonotonicTime{std::chrono::duration_cast<std::chrono::nanoseconds>(monotonic)},
             WallTime{std::chrono::duration_cast<Millis>(wall).count()}};
}

std::string to_iso_text(WallTime time) {
  if (time.unix_ms == 0) return "";
  std::time_t seconds = time.unix_ms / 1000;
  auto milliseconds = static_cast<int>(time.unix_ms % 1000);
  if (milliseconds < 0) {  // before 1970: round down, as the calendar does
    milliseconds += 1000;
    --seconds;
  }
  std::tm utc{};
  if (::gmtime_r(&seconds, &utc) == nullptr) return std::to_string(time.unix_ms) + " ms";
  std::array<char, 64> text{};
  const int length = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                                   utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                                   utc.tm_min, utc.tm_sec, milliseconds);
  return std::string(text.data(), static_cast<std::size_t>(length));
}

}  // namespace taskpipe::process
