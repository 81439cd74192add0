// Amounts as people read them. What programs read is in documents.hpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/model/resources.hpp"
#include "common/model/time.hpp"

namespace taskpipe::cli {

// "35 ms", "1.62 s", "12.3 s", "2m 05s", "1h 02m", "3d 04h". Negative ones count as zero.
[[nodiscard]] std::string duration_text(Micros duration);
// "0:12", "12:05", "1:02:05": as a clock that runs.
[[nodiscard]] std::string stopwatch_text(Millis duration);
// "512 B", "12.3 KiB", "1.5 GiB".
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
// Six significant digits: "0.710042", "1e-09", "1000".
[[nodiscard]] std::string number_text(double value);
// "4 cpus, 1 gpu, 2.0 GiB, license.abaqus=2"; "-" for nothing at all.
[[nodiscard]] std::string resources_text(const Resources& resources);

// In the local time zone: "2026-01-31 12:00:01" and "12:00:01"; "-" when not set.
[[nodiscard]] std::string date_time_text(WallTime time);
[[nodiscard]] std::string time_of_day_text(WallTime time);

// Between two points of a wall clock; nothing is longer than zero when either is not set.
[[nodiscard]] Millis between(WallTime from, WallTime to);

}  // namespace taskpipe::cli
