#include "client/cli/manual.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/command_table.hpp"

namespace taskpipe::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(RoffText, EscapesWhatRoffWouldTakeForItsOwn) {
  EXPECT_EQ(roff_text(".TH\n'x -n \\ \"q\""), "\\&.TH\n\\&\\(aqx \\-n \\e \\(dqq\\(dq");
  EXPECT_EQ(roff_text("a × b…"), "a \\[u00D7] b\\[u2026]");
}

TEST(ManualPage, HasEveryCommandAndOption) {
  const std::string all = manual_page();
  for (const Command& command : all_commands()) {
    EXPECT_THAT(all, HasSubstr(".SS \"taskpipe " + roff_text(command.name)));
    const std::string page = manual_page(command);
    EXPECT_THAT(page, StartsWith(".TH TASKPIPE-"));
    for (const auto& row : form_of(command).options) {
      const std::string option = "\\fB" + roff_text("--" + row.long_name()) + "\\fR";
      EXPECT_THAT(page, HasSubstr(option)) << command.name;
      EXPECT_THAT(all, HasSubstr(option)) << command.name;
    }
  }
}

}  // namespace
}  // namespace taskpipe::cli
