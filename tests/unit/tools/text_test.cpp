#include "worker/tools/text.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace taskpipe::worker {
namespace {

TEST(ParseNumber, AcceptsDecimalNumbersOnly) {
  EXPECT_EQ(parse_number("12"), 12.0);
  EXPECT_EQ(parse_number("-1.5e-3"), -0.0015);
  EXPECT_EQ(parse_number("+2"), 2.0);
  for (const char* bad : {"", "-", "+-2", "1x", " 1", "nan", "inf", "-inf", "1e999", "0x10"}) {
    EXPECT_EQ(parse_number(bad), std::nullopt) << bad;
  }
}

TEST(SplitWords, SplitsAtBlanks) {
  std::vector<std::string_view> words = {"stale"};
  split_words("  a\tbc  d ", words);
  EXPECT_EQ(words, (std::vector<std::string_view>{"a", "bc", "d"}));
  split_words("   ", words);
  EXPECT_TRUE(words.empty());
}

TEST(NearestName, FindsTypingErrorsButNotOtherNames) {
  const std::vector<std::string> names = {"poisson.py", "heat.py", "argv", "regex"};
  EXPECT_EQ(nearest_name("possion.py", names), "poisson.py");
  EXPECT_EQ(nearest_name("arg", names), "argv");
  EXPECT_EQ(nearest_name("ergex", names), "regex");
  EXPECT_EQ(nearest_name("unrelated-name", names), "");
  EXPECT_EQ(nearest_name("", names), "");
}

TEST(Printable, ReplacesWhatIsNotPrintableAscii) {
  EXPECT_EQ(printable("a b~"), "a b~");
  EXPECT_EQ(printable("a\n\xc3\xbc\x7f"), "a????");
  EXPECT_TRUE(is_printable("a b"));
  EXPECT_FALSE(is_printable("a\tb"));
}

TEST(Enumerate, EndsLongListsWithAnEllipsis) {
  EXPECT_EQ(enumerate({}, 2), "");
  EXPECT_EQ(enumerate({"a", "b"}, 2), "a, b");
  EXPECT_EQ(enumerate({"a", "b", "c"}, 2), "a, b, …");
}

}  // namespace
}  // namespace taskpipe::worker
