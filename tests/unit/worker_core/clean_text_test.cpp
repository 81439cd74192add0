#include "worker/core/clean_text.hpp"

#include <gtest/gtest.h>

namespace taskpipe::worker {
namespace {

TEST(CleanText, KeepsWhatIsValid) {
  EXPECT_EQ(clean_text("step 3 — \xF0\x9F\x9A\x80", 100), "step 3 — \xF0\x9F\x9A\x80");
  EXPECT_EQ(clean_text("", 100), "");
}

TEST(CleanText, ReplacesWhatIsNot) {
  EXPECT_EQ(clean_text("a\xFFz", 100), "a\xEF\xBF\xBDz");
  EXPECT_EQ(clean_text("\xC0\x80", 100), "\xEF\xBF\xBD\xEF\xBF\xBD");          // overlong
  EXPECT_EQ(clean_text("\xE2\x82", 100), "\xEF\xBF\xBD\xEF\xBF\xBD");          // cut short
  EXPECT_EQ(clean_text("\xED\xA0\x80", 100).find('\xED'), std::string::npos);  // surrogate
  EXPECT_EQ(clean_text("\xF4\x90\x80\x80", 100).find('\xF4'), std::string::npos);
}

TEST(CleanText, CutsBetweenCharacters) {
  EXPECT_EQ(clean_text("ab\xE2\x82\xAC", 4), "ab");
  EXPECT_EQ(clean_text("ab\xE2\x82\xAC", 5), "ab\xE2\x82\xAC");
}

}  // namespace
}  // namespace taskpipe::worker
