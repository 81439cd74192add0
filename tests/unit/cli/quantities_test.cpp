#include "client/cli/quantities.hpp"

#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <limits>

#include <gtest/gtest.h>

namespace taskpipe::cli {
namespace {

TEST(DurationText, GetsCoarserAsItGrows) {
  EXPECT_EQ(duration_text(Micros(-5)), "0 ms");
  EXPECT_EQ(duration_text(Micros(0)), "0 ms");
  EXPECT_EQ(duration_text(Micros(35'400)), "35 ms");
  EXPECT_EQ(duration_text(Micros(999'999)), "999 ms");
  EXPECT_EQ(duration_text(Millis(1620)), "1.62 s");
  EXPECT_EQ(duration_text(Millis(12'340)), "12.3 s");
  EXPECT_EQ(duration_text(Millis(125'000)), "2m 05s");
  EXPECT_EQ(duration_text(Millis(3'720'000)), "1h 02m");
  EXPECT_EQ(duration_text(Millis(273'600'000)), "3d 04h");
}

TEST(DurationText, RoundingNeverShowsTheNextUnitAsItsOwn) {
  EXPECT_EQ(duration_text(Millis(9994)), "9.99 s");
  EXPECT_EQ(duration_text(Millis(9996)), "10.0 s");
  EXPECT_EQ(duration_text(Millis(59'940)), "59.9 s");
  EXPECT_EQ(duration_text(Millis(59'960)), "1m 00s");
  EXPECT_EQ(duration_text(Millis(3'599'600)), "1h 00m");
}

TEST(StopwatchText, RunsAsAClock) {
  EXPECT_EQ(stopwatch_text(Millis(-1)), "0:00");
  EXPECT_EQ(stopwatch_text(Millis(12'999)), "0:12");
  EXPECT_EQ(stopwatch_text(Millis(725'000)), "12:05");
  EXPECT_EQ(stopwatch_text(Millis(3'725'000)), "1:02:05");
}

TEST(BytesText, PowersOf1024) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1.0 KiB");
  EXPECT_EQ(bytes_text(12'600), "12.3 KiB");
  EXPECT_EQ(bytes_text((1U << 20U) - 1), "1.0 MiB");
  EXPECT_EQ(bytes_text(std::numeric_limits<std::uint64_t>::max()), "16.0 EiB");
}

TEST(NumberText, SixDigits) {
  EXPECT_EQ(number_text(0.7100421), "0.710042");
  EXPECT_EQ(number_text(1000.0), "1000");
  EXPECT_EQ(number_text(1e-9), "1e-09");
}

TEST(ResourcesText, NamesWhatThereIs) {
  EXPECT_EQ(resources_text({}), "-");
  EXPECT_EQ(resources_text({4, 1, 2ULL << 30U, {{"license", 2}}}),
            "4 cpus, 1 gpu, 2.0 GiB, license=2");
  EXPECT_EQ(resources_text({1, 0, 0, {}}), "1 cpu");
}

TEST(TimeTexts, InTheLocalZone) {
  ::setenv("TZ", "UTC-2", 1);  // two hours east of Greenwich
  ::tzset();
  const WallTime time{1'700'000'000'500};  // 2023-11-14 22:13:20 UTC
  EXPECT_EQ(date_time_text(time), "2023-11-15 00:13:20");
  EXPECT_EQ(time_of_day_text(time), "00:13:20");
  EXPECT_EQ(date_time_text({}), "-");
  EXPECT_EQ(time_of_day_text({}), "-");
  ::unsetenv("TZ");
  ::tzset();
}

TEST(Between, IsNeverNegative) {
  EXPECT_EQ(between({1000}, {1500}), Millis(500));
  EXPECT_EQ(between({1500}, {1000}), Millis(0));
  EXPECT_EQ(between({}, {1000}), Millis(0));
  EXPECT_EQ(between({1000}, {}), Millis(0));
}

}  // namespace
}  // namespace taskpipe::cli
