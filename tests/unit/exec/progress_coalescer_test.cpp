#include "worker/exec/progress_coalescer.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace taskpipe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using Metrics = std::vector<std::pair<std::string, double>>;

MonotonicTime at_ms(int ms) { return MonotonicTime{Millis(ms)}; }

ParsedLine line(double percent, std::string message = "", Metrics metrics = {}) {
  return {percent, std::move(message), std::move(metrics)};
}

TEST(ProgressCoalescer, GivesTheFirstReportAtOnce) {
  ProgressCoalescer progress;
  EXPECT_FALSE(progress.due());
  progress.add(line(1, "a"));
  ASSERT_TRUE(progress.due());
  EXPECT_LE(*progress.due(), at_ms(0));
  EXPECT_EQ(progress.take(at_ms(5))->message, "a");
  EXPECT_FALSE(progress.due());
  EXPECT_FALSE(progress.take(at_ms(6)));
}

TEST(ProgressCoalescer, GivesTheLatestAfterTheInterval) {
  ProgressCoalescer progress;
  progress.add(line(1));
  ASSERT_TRUE(progress.take(at_ms(1000)));
  for (int i = 2; i <= 50; ++i) progress.add(line(i, "at " + std::to_string(i)));
  ASSERT_TRUE(progress.due());
  EXPECT_EQ(*progress.due(), at_ms(1000 + static_cast<int>(limits::kProgressIntervalMs)));
  const auto report = progress.take(*progress.due());
  EXPECT_DOUBLE_EQ(report->percent, 50);
  EXPECT_EQ(report->message, "at 50");
}

TEST(ProgressCoalescer, KeepsWhatALaterLineDoesNotMention) {
  ProgressCoalescer progress;
  progress.add(line(10, "solving", {{"residual", 0.5}, {"energy", 2}}));
  progress.add(line(-1, "", {{"residual", 0.25}}));
  progress.add(line(11));
  const auto report = progress.take(at_ms(0));
  EXPECT_DOUBLE_EQ(report->percent, 11);
  EXPECT_EQ(report->message, "solving");
  EXPECT_THAT(report->metrics, ElementsAre(Pair("residual", 0.25), Pair("energy", 2.0)));
  EXPECT_THAT(progress.last_metrics(), ElementsAre(Pair("energy", 2.0), Pair("residual", 0.25)));
}

TEST(ProgressCoalescer, IgnoresLinesThatSayNothing) {
  ProgressCoalescer progress;
  progress.add(line(-1));
  progress.add(line(std::nan("")));
  progress.add(line(-1, "", {{"x", std::numeric_limits<double>::infinity()}, {"", 1}}));
  EXPECT_FALSE(progress.due());
  EXPECT_TRUE(progress.last_metrics().empty());
}

TEST(ProgressCoalescer, MakesTextAndNumbersFit) {
  ProgressCoalescer progress;
  progress.add(line(1e300, std::string(5000, '\xFF')));
  const auto report = progress.take(at_ms(0));
  EXPECT_DOUBLE_EQ(report->percent, 100);
  EXPECT_LE(report->message.size(), limits::kMaxTextBytes);
  EXPECT_EQ(report->message.substr(0, 3), "\xEF\xBF\xBD");
}

TEST(ProgressCoalescer, BoundsTheMetrics) {
  ProgressCoalescer progress;
  for (int i = 0; i < 1000; ++i) {
    progress.add(line(-1, "", {{"m" + std::to_string(i), static_cast<double>(i)}}));
  }
  EXPECT_EQ(progress.take(at_ms(0))->metrics.size(), limits::kMaxMetrics);
  EXPECT_EQ(progress.last_metrics().size(), limits::kMaxMetrics);
  EXPECT_TRUE(progress.last_metrics().contains("m0"));
}

}  // namespace
}  // namespace taskpipe::worker
