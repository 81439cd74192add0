#include "client/cli/display_text.hpp"

#include <string>

#include <gtest/gtest.h>

namespace taskpipe::cli {
namespace {

TEST(DisplayWidth, CountsColumnsAndNotBytes) {
  EXPECT_EQ(display_width(""), 0U);
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("größe"), 5U);
  EXPECT_EQ(display_width("中文"), 4U);
  EXPECT_EQ(display_width("한글"), 4U);
  EXPECT_EQ(display_width("🚀"), 2U);
  EXPECT_EQ(display_width("e\xcc\x81"), 1U);  // e and a combining acute
  EXPECT_EQ(display_width("━╸…"), 3U);
}

TEST(Printable, IsOneLineWithoutControls) {
  EXPECT_EQ(printable("a\nb\tc\rd"), "a b c d");
  EXPECT_EQ(printable("\x1b[31mred"), "\xef\xbf\xbd[31mred");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(printable("a\x7f"), "a\xef\xbf\xbd");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\xef\xbf\xbd"
            "31m");  // CSI of C1
  EXPECT_EQ(printable("a\xe2\x80\xae"
                      "b"),
            "a\xef\xbf\xbd"
            "b");  // right-to-left override
  EXPECT_EQ(printable("\xff\xc3"), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(printable("größe 中"), "größe 中");
}

TEST(CutTo, EndsWithAMarkAndNeverExceeds) {
  EXPECT_EQ(cut_to("example", 7), "example");
  EXPECT_EQ(cut_to("example", 6), "examp…");
  EXPECT_EQ(cut_to("example", 1), "…");
  EXPECT_EQ(cut_to("example", 0), "");
  EXPECT_EQ(cut_to("example", 6, false), "exa...");
  EXPECT_EQ(cut_to("example", 2, false), "..");
}

TEST(CutTo, NeverSplitsACharacter) {
  EXPECT_EQ(cut_to("größer", 4), "grö…");
  // A wide character that does not fit whole leaves a column empty.
  EXPECT_EQ(cut_to("中文字", 4), "中…");
  for (std::size_t columns = 0; columns < 8; ++columns) {
    EXPECT_LE(display_width(cut_to("a中b文c字", columns)), columns);
  }
}

TEST(Padded, FillsToTheColumn) {
  EXPECT_EQ(padded("ab", 4), "ab  ");
  EXPECT_EQ(padded("ab", 4, Align::right), "  ab");
  EXPECT_EQ(padded("中", 4), "中  ");
  EXPECT_EQ(padded("abcde", 4), "abcde");
}

TEST(Painted, OnlyWithColoursAndATone) {
  EXPECT_EQ(painted("ok", Tone::good, false), "ok");
  EXPECT_EQ(painted("ok", Tone::plain, true), "ok");
  EXPECT_EQ(painted("ok", Tone::good, true), "\x1b[32mok\x1b[0m");
}

}  // namespace
}  // namespace taskpipe::cli
