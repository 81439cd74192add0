// The recorded output is of blockMesh and icoFoam 1912 (Debian 12), from example_cavity.py with
// SIM_N=8 and SIM_END_TIME=1.
#include "worker/tools/openfoam_progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "tests/unit/tools/feed.hpp"
#include "tests/unit/tools/temporary_folder.hpp"

namespace taskpipe::worker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::string recorded_cavity(const std::string& case_folder) {
  std::string text = read_text(std::string(TASKPIPE_RECORDED_DIR) + "/cavity.log");
  const std::string mark = "@CASE@";
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
    text.replace(at, mark.size(), case_folder);
  }
  return text;
}

constexpr const char* kControlDict = R"(
FoamFile { version 2.0; object controlDict; endTime 77; }
/* endTime 5; */ startFrom startTime; startTime 0; // endTime 6;
stopAt endTime;
endTime 1.0;
functions { probe { endTime 9; } }
)";

TEST(OpenfoamProgress, FollowsTimeToTheEndOfTheControlDict) {
  const TemporaryFolder folder;
  folder.write("system/controlDict", kControlDict);
  OpenfoamProgress progress(std::nullopt);
  const auto fed = feed(progress, recorded_cavity(folder.path().string()));
  ASSERT_THAT(fed.percents, SizeIs(16));
  EXPECT_TRUE(fed.percents_never_fall());
  EXPECT_DOUBLE_EQ(fed.percents[0], 6.25);
  EXPECT_DOUBLE_EQ(fed.percents[7], 50.0);
  EXPECT_DOUBLE_EQ(fed.percents.back(), 100.0);
  EXPECT_EQ(fed.messages.back(), "time 1");
  // One per field and time step: p is solved twice in each, and counts once.
  EXPECT_THAT(fed.metrics.at("residual_Ux"), SizeIs(16));
  EXPECT_THAT(fed.metrics.at("residual_Uy"), SizeIs(16));
  EXPECT_THAT(fed.metrics.at("residual_p"), SizeIs(16));
  EXPECT_DOUBLE_EQ(fed.metrics.at("residual_p").front(), 1.0);
  EXPECT_LT(fed.metrics.at("residual_Ux").back(), 0.1 * fed.metrics.at("residual_Ux").front());
}

TEST(OpenfoamProgress, FallsBackOnTheParameter) {
  OpenfoamProgress progress(2.0);
  const auto fed = feed(progress, recorded_cavity("/nonexistent"));
  ASSERT_THAT(fed.percents, SizeIs(16));
  EXPECT_DOUBLE_EQ(fed.percents.back(), 50.0);
}

TEST(OpenfoamProgress, GivesTimesWithoutPercentWhenTheEndIsUnknown) {
  OpenfoamProgress progress(std::nullopt);
  const auto fed = feed(progress, recorded_cavity("relative/case"));
  EXPECT_THAT(fed.percents, IsEmpty());
  EXPECT_THAT(fed.messages, SizeIs(16));
  EXPECT_THAT(fed.metrics.at("residual_p"), SizeIs(16));
}

TEST(OpenfoamProgress, ContinuesARestartFromWhereItBegan) {
  const TemporaryFolder folder;
  folder.write("system/controlDict", "startFrom latestTime; startTime 0; endTime 20;");
  OpenfoamProgress progress(std::nullopt);
  const auto fed = feed(progress, "Exec   : icoFoam\nCase   : " + folder.path().string() +
                                      "\nCreate mesh for time = 10\nTime = 11\nTime = 15s\n");
  EXPECT_THAT(fed.percents, ElementsAre(10.0, 50.0));
}

TEST(OpenfoamProgress, NeverFallsWhenAnotherProgramStartsOver) {
  const TemporaryFolder folder;
  folder.write("system/controlDict", "endTime 4;");
  OpenfoamProgress progress(std::nullopt);
  const std::string header = "Exec   : x\nCase   : " + folder.path().string() + "\n";
  const auto fed = feed(progress, header + "Time = 3\n" + header + "Time = 1\nTime = 4\n");
  EXPECT_THAT(fed.percents, ElementsAre(75.0, 75.0, 100.0));
}

TEST(OpenfoamProgress, IgnoresNonsense) {
  OpenfoamProgress progress(1.0);
  const auto fed =
      feed(progress,
           "Time = \nTime = s\nTime = now\nTime = nan\nCreate mesh for time = \n"
           "Solving for , Initial residual = 1\nSolving for p, Initial residual = x\n"
           ", Initial residual = 1 Solving for p\nSolving for \xff, Initial residual = 1\n");
  EXPECT_THAT(fed.percents, IsEmpty());
  EXPECT_THAT(fed.metrics, IsEmpty());
  OpenfoamProgress err(1.0);
  EXPECT_THAT(feed(err, "Time = 1\n", LogStream::err).percents, IsEmpty());
}

TEST(OpenfoamProgress, ReadsNothingThatIsNotTheUsersOwn) {
  const TemporaryFolder folder;
  folder.write("secret", "endTime 4;");
  std::filesystem::create_directory(folder.path() / "system");
  std::filesystem::create_symlink(folder.path() / "secret", folder.path() / "system/controlDict");
  const std::string text = "Case   : " + folder.path().string() + "\nTime = 1\n";
  OpenfoamProgress own(std::nullopt, ::geteuid());
  EXPECT_THAT(feed(own, text).percents, ElementsAre(25.0));
  OpenfoamProgress another(std::nullopt, ::geteuid() + 1);
  const auto fed = feed(another, text);
  EXPECT_THAT(fed.percents, IsEmpty());
  EXPECT_THAT(fed.messages, ElementsAre("time 1"));
}

TEST(OpenfoamProgress, DoesNotWaitOnAFifo) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "system");
  ASSERT_EQ(::mkfifo((folder.path() / "system/controlDict").c_str(), 0600), 0);
  OpenfoamProgress progress(2.0);
  const auto fed = feed(progress, "Case   : " + folder.path().string() + "\nTime = 1\n");
  EXPECT_THAT(fed.percents, ElementsAre(50.0));
}

TEST(ParseControlDict, ReadsTheTopLevelOnly) {
  const auto times = parse_control_dict(kControlDict);
  EXPECT_EQ(times.start, 0.0);
  EXPECT_EQ(times.end, 1.0);
}

TEST(ParseControlDict, FollowsMacros) {
  EXPECT_EQ(parse_control_dict("T 3; end $T; endTime ${end};").end, 3.0);
  EXPECT_EQ(parse_control_dict("endTime $endTime;").end, std::nullopt);
  EXPECT_EQ(parse_control_dict("endTime $absent;").end, std::nullopt);
  EXPECT_EQ(parse_control_dict("endTime #calc \"1+1\";").end, std::nullopt);
}

TEST(ParseControlDict, KnowsWhenTheTimesDoNotCount) {
  EXPECT_EQ(parse_control_dict("stopAt writeNow; endTime 3;").end, std::nullopt);
  EXPECT_EQ(parse_control_dict("startFrom latestTime; startTime 3;").start, std::nullopt);
  EXPECT_EQ(parse_control_dict("").end, std::nullopt);
  EXPECT_EQ(parse_control_dict("endTime 3").end, std::nullopt);  // no semicolon
  EXPECT_EQ(parse_control_dict("}}}{ endTime 3; /*").end, std::nullopt);
}

}  // namespace
}  // namespace taskpipe::worker
