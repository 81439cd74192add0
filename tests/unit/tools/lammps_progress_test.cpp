// The recorded output is of LAMMPS 29 Sep 2021 (Debian 12), from the scripts named beside it.
#include "worker/tools/lammps_progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/tools/feed.hpp"
#include "tests/unit/tools/temporary_folder.hpp"

namespace taskpipe::worker {
namespace {

using testing::DoubleEq;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

std::string recorded(const std::string& name) {
  return read_text(std::string(TASKPIPE_RECORDED_DIR) + "/" + name);
}

TEST(LammpsProgress, FollowsSeveralRunsOfTheExample) {
  const auto runs = analyse_lammps_script(
      read_text(std::string(TASKPIPE_TOOLBOX_DIR) + "/scripts/lammps/example.lammps"),
      {{"equilibrate", 40}, {"steps", 200}});
  LammpsProgress progress(runs, {{"Temp", "temperature"}, {"c_msd[4]", "msd"}, {"None", "none"}});
  const auto fed = feed(progress, recorded("two_runs.log"));
  ASSERT_THAT(fed.percents, SizeIs(14));
  EXPECT_TRUE(fed.percents_never_fall());
  EXPECT_DOUBLE_EQ(fed.percents.front(), 0.0);
  EXPECT_DOUBLE_EQ(fed.percents[2], 100.0 * 40 / 240);  // end of the first run
  EXPECT_DOUBLE_EQ(fed.percents[3], 100.0 * 40 / 240);  // start of the second
  EXPECT_DOUBLE_EQ(fed.percents[8], 100.0 * 140 / 240);
  EXPECT_DOUBLE_EQ(fed.percents.back(), 100.0);
  EXPECT_EQ(fed.messages.back(), "step 240, run 2 of 2");
  EXPECT_THAT(fed.metrics.at("temperature"), SizeIs(14));
  EXPECT_DOUBLE_EQ(fed.metrics.at("temperature").front(), 0.85);
  EXPECT_THAT(fed.metrics.at("msd"), SizeIs(11));  // a column of the second table only
  EXPECT_FALSE(fed.metrics.contains("none"));
}

TEST(LammpsProgress, DoesNotCountMinimisationAndReadsTheMultiLineStyle) {
  const auto runs = analyse_lammps_script(recorded("minimise_loop.lammps"), {});
  ASSERT_TRUE(runs.exact);
  ASSERT_EQ(runs.known_total(), 200U);
  LammpsProgress progress(runs, {{"Temp", "temperature"}, {"PotEng", "absent"}});
  const auto fed = feed(progress, recorded("minimise_loop.log"));
  EXPECT_TRUE(fed.percents_never_fall());
  ASSERT_THAT(fed.percents, SizeIs(24));  // 4 runs of 50 steps, a line every 10 and at both ends
  EXPECT_DOUBLE_EQ(fed.percents.front(), 0.0);
  EXPECT_DOUBLE_EQ(fed.percents[5], 25.0);
  EXPECT_DOUBLE_EQ(fed.percents.back(), 100.0);
  EXPECT_EQ(fed.messages.back(), "step 200, run 4 of 4");
  EXPECT_THAT(fed.metrics.at("temperature"), SizeIs(26));  // two of the minimisation
  EXPECT_DOUBLE_EQ(fed.metrics.at("temperature").back(), 0.5607);
}

TEST(LammpsProgress, EstimatesFromEchoedCommandsWhenTheScriptCannotTell) {
  LammpsRuns unknown;
  unknown.exact = false;
  LammpsProgress progress(unknown, {});
  const auto fed =
      feed(progress,
           "run ${n}\nrun 100\nSetting up Verlet run ...\n"
           "Per MPI rank memory allocation (min/avg/max) = 1 | 1 | 1 Mbytes\n"
           "Step Temp\n0 1\n50 1\n100 1\nLoop time of 1 on 1 procs for 100 steps with 4 "
           "atoms\nrun 300\nSetting up Verlet run ...\nStep Temp\n100 1\n400 1\n");
  EXPECT_TRUE(fed.percents_never_fall());
  EXPECT_THAT(fed.percents, ElementsAre(0.0, 50.0, 99.0, 99.0, 99.0));  // never claims the end
}

TEST(LammpsProgress, GivesStepsWithoutPercentWhenNothingIsKnown) {
  LammpsRuns unknown;
  unknown.exact = false;
  LammpsProgress progress(unknown, {});
  const auto fed = feed(progress, "Step Temp\n0 1\n50 1\n");
  EXPECT_TRUE(fed.percents.empty());
  EXPECT_THAT(fed.messages, ElementsAre("step 0", "step 50"));
}

TEST(LammpsProgress, FindsTheStepInAnyColumn) {
  LammpsProgress progress(analyse_lammps_script("run 10", {}), {{"Press", "pressure"}});
  const auto fed = feed(progress,
                        "Per MPI rank memory allocation (min/avg/max) = 1 | 1 | 1 Mbytes\n"
                        "   Temp   Press Step\n 1.0 -2.5 0\n 1.0 nan 5\n");
  EXPECT_THAT(fed.percents, ElementsAre(0.0, 50.0));
  EXPECT_THAT(fed.metrics.at("pressure"), ElementsAre(-2.5));  // nan is no metric
}

TEST(LammpsProgress, IgnoresOtherLinesOtherStreamsAndNonsense) {
  LammpsProgress progress(analyse_lammps_script("run 10", {}), {{"Temp", "t"}});
  const auto fed =
      feed(progress,
           "Step Temp\n0 1\nWARNING: two\nTotal wall\n\n   \nSetting up \nrun\n"
           "Loop time of \n5 1\n--- Step\n---- Step x y\n\xff\xfe \x01\n= = =\nStep\n");
  EXPECT_THAT(fed.percents, ElementsAre(0.0));  // "5 1" came after the end of the run
  EXPECT_TRUE(feed(progress, "Step Temp\n0 1\n", LogStream::err).messages.empty());
}

TEST(LammpsProgress, StaysWithinTheScale) {
  LammpsProgress progress(analyse_lammps_script("run 10", {}), {});
  const auto fed = feed(progress, "Step\n0\n-5\n99999\n3\n1e300\n");
  EXPECT_TRUE(fed.percents_never_fall());
  EXPECT_DOUBLE_EQ(fed.percents.back(), 100.0);
}

}  // namespace
}  // namespace taskpipe::worker
