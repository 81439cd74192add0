#include "common/process/clock.hpp"

#include <cstdint>

#include <gtest/gtest.h>

namespace taskpipe::process {
namespace {

TEST(Clock, NeverRunsBackwards) {
  Now before = read_clock();
  for (int i = 0; i < 1000; ++i) {
    const Now now = read_clock();
    EXPECT_GE(now.monotonic, before.monotonic);
    before = now;
  }
}

TEST(Clock, WallTimeIsOfThisCentury) {
  const Now now = read_clock();
  EXPECT_GT(now.wall, WallTime{1'600'000'000'000});
  EXPECT_LT(now.wall, WallTime{4'102'444'800'000});
}

TEST(IsoText, ShowsUtcWithMilliseconds) {
  EXPECT_EQ(to_iso_text(WallTime{1'769'860'800'123}), "2026-01-31T12:00:00.123Z");
  EXPECT_EQ(to_iso_text(WallTime{1}), "1970-01-01T00:00:00.001Z");
}

TEST(IsoText, LeapDaysAndTimesBefore1970) {
  EXPECT_EQ(to_iso_text(WallTime{1'709'210'096'007}), "2024-02-29T12:34:56.007Z");
  EXPECT_EQ(to_iso_text(WallTime{-1}), "1969-12-31T23:59:59.999Z");
}

TEST(IsoText, NotSetIsEmpty) { EXPECT_EQ(to_iso_text(WallTime{}), ""); }

TEST(IsoText, AnyNumberIsTextOfSomeKind) {
  EXPECT_FALSE(to_iso_text(WallTime{INT64_MAX}).empty());
  EXPECT_FALSE(to_iso_text(WallTime{INT64_MIN}).empty());
}

}  // namespace
}  // namespace taskpipe::process
