#include "client/cli/progress_summary.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskpipe::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Tally tally_of_states(std::size_t succeeded, std::size_t failed, std::size_t running,
                      std::size_t pending, double percent = 0.0) {
  Tally tally;
  for (std::size_t i = 0; i < succeeded; ++i) tally.add(TaskState::success);
  for (std::size_t i = 0; i < failed; ++i) tally.add(TaskState::failure);
  for (std::size_t i = 0; i < running; ++i) tally.add(TaskState::running, percent);
  for (std::size_t i = 0; i < pending; ++i) tally.add(TaskState::pending);
  return tally;
}

TEST(Tally, CountsEveryState) {
  Tally tally;
  for (std::uint8_t i = 0; i <= static_cast<std::uint8_t>(kLastTaskState); ++i) {
    tally.add(static_cast<TaskState>(i), 50.0);
  }
  EXPECT_EQ(tally.total(), std::size_t(kLastTaskState) + 1);
  EXPECT_EQ(tally.pending, 1U);
  EXPECT_EQ(tally.running, 1U);
  EXPECT_EQ(tally.succeeded, 1U);
  EXPECT_EQ(tally.failed, 3U);
  EXPECT_EQ(tally.cancelled, 1U);
  EXPECT_DOUBLE_EQ(tally.work_done, 5.5);
}

TEST(Pace, CountsFromWhereItBegan) {
  const Tally before = tally_of_states(10, 0, 0, 30);
  const Pace pace(before, Millis(5000));
  const Tally now = tally_of_states(14, 0, 2, 24, 50.0);  // five tasks' worth in 10 s
  ASSERT_TRUE(pace.tasks_per_second(now, Millis(15'000)));
  EXPECT_DOUBLE_EQ(*pace.tasks_per_second(now, Millis(15'000)), 0.5);
  EXPECT_EQ(pace.remaining(now, Millis(15'000)), Millis(50'000));
}

TEST(Pace, SaysNothingThatItCannotKnow) {
  const Tally before = tally_of_states(0, 0, 1, 3);
  const Pace pace(before, Millis(0));
  EXPECT_FALSE(pace.tasks_per_second(tally_of_states(2, 0, 1, 1), Millis(999)));
  EXPECT_FALSE(pace.tasks_per_second(before, Millis(60'000)));
  EXPECT_FALSE(pace.remaining(tally_of_states(4, 0, 0, 0), Millis(60'000)));
  EXPECT_FALSE(Pace().tasks_per_second(Tally(), Millis(0)));
}

TEST(SummaryText, SaysWhatThereIs) {
  const Tally before = tally_of_states(2, 0, 0, 38);
  const Tally now = tally_of_states(11, 1, 3, 25);
  EXPECT_EQ(summary_text(now, Pace(before, Millis(0)), Millis(5000)),
            "12/40 done, 3 running, 1 failed, 25 waiting, 2.0/s, ETA 0:14");
  EXPECT_EQ(summary_text(tally_of_states(2, 0, 0, 0), Pace(), Millis(5000)), "2/2 done");
  EXPECT_EQ(summary_text(tally_of_states(40, 0, 0, 0), Pace(before, Millis(0)), Millis(21'300)),
            "40/40 done, in 21.3 s");
}

TEST(SummaryLine, FitsAndHasABarWhereThereIsRoom) {
  const Tally now = tally_of_states(11, 1, 3, 25);
  EXPECT_THAT(summary_line(now, Pace(), {.columns = 90}, Millis(0)), StartsWith("━━━━━━┄"));
  EXPECT_THAT(summary_line(now, Pace(), {.columns = 60}, Millis(0)), StartsWith("12/40 done"));
  for (std::size_t columns = 20; columns < 120; ++columns) {
    EXPECT_LE(display_width(summary_line(now, Pace(), {.columns = columns}, Millis(0))), columns);
  }
}

TEST(RateText, ChoosesItsUnit) {
  EXPECT_EQ(rate_text(2.0), "2.0/s");
  EXPECT_EQ(rate_text(0.2), "12.0/min");
}

}  // namespace
}  // namespace taskpipe::cli
