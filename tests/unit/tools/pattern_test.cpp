#include "worker/tools/pattern.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace taskpipe::worker {
namespace {

TEST(Pattern, FindsGroupsAnywhereInTheText) {
  const auto pattern = Pattern::compile(R"((\d+)/(\d+))");
  ASSERT_TRUE(pattern);
  EXPECT_EQ(pattern->group_count(), 2);
  std::array<std::string_view, 2> groups;
  ASSERT_TRUE(pattern->search("step 3/10 done", groups));
  EXPECT_EQ(groups[0], "3");
  EXPECT_EQ(groups[1], "10");
  EXPECT_TRUE(pattern->search("1/2"));
  EXPECT_FALSE(pattern->search("no numbers", groups));
}

TEST(Pattern, LeavesAnUnusedGroupEmpty) {
  const auto pattern = Pattern::compile("a(b)?c");
  ASSERT_TRUE(pattern);
  std::array<std::string_view, 1> group = {"stale"};
  ASSERT_TRUE(pattern->search("ac", group));
  EXPECT_EQ(group[0], "");
}

TEST(Pattern, RefusesBrokenExpressionsAndTooManyGroups) {
  EXPECT_FALSE(Pattern::compile("(unclosed"));
  EXPECT_FALSE(Pattern::compile("(a)(b)(c)"));
  EXPECT_TRUE(Pattern::compile("(?:a)(b)(c)"));
  EXPECT_FALSE(Pattern::compile(R"(\1)"));  // back references would make matching exponential
}

TEST(Pattern, StaysLinearOnTextMadeToBacktrack) {
  const auto pattern = Pattern::compile("(x+x+)+y");
  ASSERT_TRUE(pattern);
  EXPECT_FALSE(pattern->search(std::string(100'000, 'x')));
}

TEST(Pattern, CopesWithArbitraryBytes) {
  const auto pattern = Pattern::compile("T = (\\S+)");
  ASSERT_TRUE(pattern);
  const std::string line("\xff\x00\xfe T = 4", 9);
  std::array<std::string_view, 1> group;
  ASSERT_TRUE(pattern->search(line, group));
  EXPECT_EQ(group[0], "4");
}

}  // namespace
}  // namespace taskpipe::worker
