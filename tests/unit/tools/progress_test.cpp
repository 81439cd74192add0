#include "worker/tools/progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/tools/feed.hpp"

namespace taskpipe::worker {
namespace {

using testing::ElementsAre;

// A reader made from the given lines of a manifest; null when it needs none.
std::unique_ptr<OutputParser> reader(const std::string& lines, const std::string& script = "",
                                     const ValueMap& params = {}) {
  const auto manifest =
      parse_manifest("name = 't'\n[command]\nargv = ['true']\n" + lines, "/tools/t.toml");
  if (!manifest) {
    ADD_FAILURE() << manifest.error().text;
    return nullptr;
  }
  return make_output_parser(*manifest, ReaderContext{script, params});
}

TEST(OutputParser, IsAbsentWhenNothingIsAskedFor) {
  EXPECT_EQ(reader(""), nullptr);
  EXPECT_EQ(reader("[progress]\nkind = 'none'"), nullptr);
}

TEST(OutputParser, ReadsAPercentage) {
  const auto parser = reader("[progress]\nkind = 'regex'\npercent = '([0-9.]+)% done'");
  const auto fed = feed(*parser, "start\n10% done\n 42.5% done \nno\n40% done\n250% done\n");
  EXPECT_THAT(fed.percents, ElementsAre(10.0, 42.5, 42.5, 100.0));
  EXPECT_THAT(fed.messages, ElementsAre("10% done", "42.5% done", "40% done", "250% done"));
}

TEST(OutputParser, ReadsCurrentAndTotal) {
  const auto parser = reader("[progress]\nkind = 'regex'\nfraction = 'step (\\S+) of (\\S+)'");
  const auto fed = feed(*parser, "step 1 of 4\nstep 3 of 4\nstep 1 of 0\nstep x of 4\n");
  EXPECT_THAT(fed.percents, ElementsAre(25.0, 75.0));
}

TEST(OutputParser, ReadsMetricsOfBothStreamsBesideProgress) {
  const auto parser = reader(
      "[progress]\nkind = 'regex'\npercent = '(\\d+)%'\n"
      "[metrics]\nloss = { regex = 'loss=(\\S+)' }\nrate = { regex = 'rate=(\\S+)' }");
  const auto fed = feed(*parser, "5% loss=0.5 rate=3\nloss=nan\nloss=x\n");
  EXPECT_THAT(fed.percents, ElementsAre(5.0));
  EXPECT_THAT(fed.metrics.at("loss"), ElementsAre(0.5));
  EXPECT_THAT(fed.metrics.at("rate"), ElementsAre(3.0));
  EXPECT_THAT(feed(*parser, "loss=0.25\n", LogStream::err).metrics.at("loss"), ElementsAre(0.25));
}

TEST(OutputParser, GivesLammpsTheScriptAndItsColumns) {
  const auto parser = reader(
      "[progress]\nkind = 'lammps'\n[metrics]\ntemperature = { column = 'Temp' }\n"
      "speed = { regex = '(\\S+) timesteps/s' }",
      "run ${n}", {{"n", 10}});
  const auto fed = feed(*parser, "Step Temp\n0 1\n5 2\nPerformance: 9 tau/day, 7 timesteps/s\n");
  EXPECT_THAT(fed.percents, ElementsAre(0.0, 50.0));
  EXPECT_THAT(fed.metrics.at("temperature"), ElementsAre(1.0, 2.0));
  EXPECT_THAT(fed.metrics.at("speed"), ElementsAre(7.0));
}

TEST(OutputParser, GivesOpenfoamTheEndTimeParameter) {
  const auto parser =
      reader("[progress]\nkind = 'openfoam'\nend_time_param = 'end_time'", "", {{"end_time", 4.0}});
  EXPECT_THAT(feed(*parser, "Time = 1\n").percents, ElementsAre(25.0));
}

}  // namespace
}  // namespace taskpipe::worker
