#include "client/cli/completion.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/command_table.hpp"

namespace taskpipe::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Completion of(std::vector<std::string> words) { return complete(words); }

std::vector<std::string> texts(std::vector<std::string> words) {
  std::vector<std::string> result;
  for (const Candidate& candidate : of(std::move(words)).candidates) {
    result.push_back(candidate.text);
  }
  return result;
}

TEST(Complete, EveryCommandAndEveryOptionOfIt) {
  for (const Command& command : all_commands()) {
    const std::string first = command.name.substr(0, command.name.find(' '));
    EXPECT_THAT(texts({""}), Contains(first));
    std::vector<std::string> words = {first};
    if (const auto space = command.name.find(' '); space != std::string::npos) {
      EXPECT_THAT(texts({first, ""}), Contains(command.name.substr(space + 1)));
      words.push_back(command.name.substr(space + 1));
    }
    words.emplace_back("--");
    for (const auto& row : form_of(command).options) {
      EXPECT_THAT(texts(words), Contains("--" + row.long_name())) << command.name;
    }
  }
}

TEST(Complete, WhatBeginsAsTyped) {
  EXPECT_THAT(texts({"wo"}), ElementsAre("workflow", "workers"));
  EXPECT_THAT(texts({"workflow", "s"}), ElementsAre("submit", "status"));
  EXPECT_THAT(texts({"submit", "--prio"}), ElementsAre("--priority"));
  EXPECT_THAT(texts({"--broker", "host", "heal"}), ElementsAre("health"));
  EXPECT_THAT(texts({"frobnicate", ""}), IsEmpty());
}

TEST(Complete, ValuesOfOptions) {
  EXPECT_THAT(texts({"list", "--color", "a"}), ElementsAre("auto", "always"));
  EXPECT_THAT(texts({"list", "--state", "ru"}), ElementsAre("running"));
  EXPECT_THAT(texts({"completion", ""}), ElementsAre("bash", "zsh", "fish"));
  EXPECT_THAT(texts({"dead", "list", "--state", ""}), ElementsAre("failed", "timeout", "error"));
  EXPECT_TRUE(of({"submit", "lammps", "--params", ""}).files);
  EXPECT_TRUE(of({"workflow", "run", ""}).files);
  EXPECT_FALSE(of({"workflow", "run", "a.toml", ""}).files);
}

TEST(Complete, OneMoreOfAList) {
  EXPECT_THAT(texts({"submit", "lammps", "--retry-on", "e"}), ElementsAre("exit"));
  EXPECT_THAT(
      texts({"submit", "lammps", "--retry-on", "exit,oom,"}),
      ElementsAre("exit,oom,signal", "exit,oom,timeout", "exit,oom,spawn", "exit,oom,rejected"));
}

TEST(Complete, OneWordOrThree) {
  EXPECT_EQ(completion_lines(of({"list", "--color=al"})), "--color=always\t\n");
  EXPECT_EQ(completion_lines(of({"list", "--color", "=", "al"})), "always\t\n");  // bash
  EXPECT_THAT(texts({"list", "--color", "="}), ElementsAre("auto", "always", "never"));
}

TEST(Complete, WhatTheBrokerKnows) {
  EXPECT_EQ(of({"submit", "la"}).broker, BrokerNames::tools);
  EXPECT_EQ(of({"submit", "-p", "a=1", "la"}).broker, BrokerNames::tools);
  EXPECT_EQ(of({"submit", "lammps", ""}).broker, BrokerNames::scripts);
  EXPECT_EQ(of({"submit", "lammps", ""}).tool, "lammps");
  EXPECT_EQ(of({"list", "--tool", ""}).broker, BrokerNames::tools);
  EXPECT_EQ(of({"wait", "01", ""}).broker, BrokerNames::tasks);
  EXPECT_EQ(of({"dead", "show", ""}).broker, BrokerNames::dead);
  EXPECT_EQ(of({"dead", "resubmit", "01", ""}).broker, BrokerNames::dead);
  EXPECT_EQ(of({"wait", "--workflow", ""}).broker, BrokerNames::workflows);
  EXPECT_EQ(of({"health", ""}).broker, BrokerNames::none);
}

TEST(Complete, OfHelpAreCommands) {
  EXPECT_THAT(texts({"help", "su"}), ElementsAre("submit"));
  EXPECT_THAT(texts({"help", "workflow", "r"}), ElementsAre("run"));
}

TEST(ShellScript, HoldsNoNameOfItsOwn) {
  for (const std::string& shell : known_shells()) {
    ASSERT_TRUE(shell_script(shell));
    const std::string script(*shell_script(shell));
    EXPECT_THAT(script, HasSubstr(kCompleteWord));
    EXPECT_THAT(script, Not(HasSubstr("submit")));
  }
  EXPECT_FALSE(shell_script("tcsh"));
}

}  // namespace
}  // namespace taskpipe::cli
