#include "client/cli/table.hpp"

#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskpipe::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Table sample() {
  Table table({{"ID"}, {"NAME", Align::left, 4}, {"RAN", Align::right}, {"WHY", Align::left, 3}});
  table.add({"0123456789", "größe", "5 s", "because of this"});
  table.add({"1", "中文", "12 s", ""});
  return table;
}

TEST(Table, AlignsByColumnsAndLeavesNoTrailingSpace) {
  EXPECT_EQ(sample().text({}),
            "ID          NAME    RAN  WHY\n"
            "0123456789  größe   5 s  because of this\n"
            "1           中文   12 s\n");
}

TEST(Table, CutsTheWidestColumnsThatMayBeCut) {
  EXPECT_EQ(sample().text({.columns = 34}),
            "ID          NAME    RAN  WHY\n"
            "0123456789  größe   5 s  because …\n"
            "1           中文   12 s\n");
}

TEST(Table, FitsAnyWidthDownToItsLeast) {
  for (std::size_t columns = 27; columns < 60; ++columns) {
    std::istringstream lines(sample().text({.columns = columns}));
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(display_width(line), columns) << line;
    }
  }
}

TEST(Table, NeverCutsWhatPeopleCopy) {
  EXPECT_THAT(sample().text({.columns = 5}), HasSubstr("0123456789"));
}

TEST(Table, WhatToolsWroteCannotBreakIt) {
  Table table({{"A"}, {"B"}});
  table.add({"two\nlines", "\x1b[2J"});
  const std::string text = table.text({});
  EXPECT_THAT(text, HasSubstr("two lines"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(Table, ColoursDoNotMoveColumns) {
  Table table({{"STATE"}, {"B"}});
  table.add({Cell("ok", Tone::good), "x"});
  EXPECT_THAT(table.text({.colours = true}), HasSubstr("\x1b[32mok   \x1b[0m  x\n"));
}

TEST(Table, CanBeEmpty) {
  const Table table({{"A"}, {"B"}});
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.text({}), "A  B\n");
}

}  // namespace
}  // namespace taskpipe::cli
