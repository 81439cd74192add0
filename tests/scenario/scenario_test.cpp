// Every transcript of the folder must read as the core behaves. To accept a changed behaviour on
// purpose, run with TASKPIPE_REWRITE_SCENARIOS=1 and look at the difference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/scenario/scenario.hpp"

namespace taskpipe::broker::testing {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> transcripts() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(TASKPIPE_TRANSCRIPTS)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string read(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class ScenarioTest : public ::testing::TestWithParam<fs::path> {};

TEST_P(ScenarioTest, ReadsAsTheCoreBehaves) {
  const std::string expected = read(GetParam());
  const std::string actual = Scenario().run(expected);
  if (std::getenv("TASKPIPE_REWRITE_SCENARIOS") != nullptr) std::ofstream(GetParam()) << actual;
  EXPECT_EQ(actual, expected);
}

INSTANTIATE_TEST_SUITE_P(Transcripts, ScenarioTest, ::testing::ValuesIn(transcripts()),
                         [](const auto& test) {
                           std::string name = test.param.stem().string();
                           std::replace_if(
                               name.begin(), name.end(),
                               [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

TEST(ScenarioRunner, NamesTheLineOfAnUnknownCommand) {
  EXPECT_THROW(Scenario().run("client ann\nfly ann\n"), std::invalid_argument);
}

TEST(ScenarioRunner, DropsOutputsThatDoNotHappen) {
  EXPECT_EQ(Scenario().run("client ann\n> ann DONE a#1.1=SUCCESS\n"), "client ann\n");
}

}  // namespace
}  // namespace taskpipe::broker::testing
