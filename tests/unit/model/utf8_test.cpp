#include "common/model/utf8.hpp"

#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace taskpipe {
namespace {

TEST(Utf8, ReadsEveryLengthAtItsBounds) {
  const struct {
    std::string_view text;
    char32_t code_point;
  } kTable[] = {
      {std::string_view("\0", 1), 0},
      {"\x7F", 0x7F},
      {"\xC2\x80", 0x80},
      {"\xDF\xBF", 0x7FF},
      {"\xE0\xA0\x80", 0x800},
      {"\xED\x9F\xBF", 0xD7FF},
      {"\xEE\x80\x80", 0xE000},
      {"\xEF\xBF\xBF", 0xFFFF},
      {"\xF0\x90\x80\x80", 0x10000},
      {"\xF4\x8F\xBF\xBF", 0x10FFFF},
  };
  for (const auto& row : kTable) {
    const Utf8Char read = first_utf8_char(row.text);
    EXPECT_TRUE(read.valid);
    EXPECT_EQ(read.code_point, row.code_point);
    EXPECT_EQ(read.bytes, row.text.size());
    EXPECT_TRUE(is_utf8(row.text));
    EXPECT_EQ(to_valid_utf8(row.text), row.text);
  }
}

TEST(Utf8, RefusesWhatTheStandardRefuses) {
  for (const std::string_view text : {
           "\x80", "\xBF", "\xC0\x80", "\xC1\xBF",                  // stray, overlong
           "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF",                      // overlong
           "\xED\xA0\x80", "\xED\xBF\xBF",                          // surrogates
           "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFE", "\xFF",  // beyond U+10FFFF
           "\xC2", "\xE0\xA0", "\xF0\x90\x80",                      // cut short
           "\xC2\x41", "\xE0\xA0\x41", "\xE0\x41\x80",              // no continuation
       }) {
    const Utf8Char read = first_utf8_char(text);
    EXPECT_FALSE(read.valid);
    EXPECT_EQ(read.bytes, 1U);
    EXPECT_EQ(read.code_point, 0xFFFDU);
    EXPECT_FALSE(is_utf8(text));
    EXPECT_TRUE(is_utf8(to_valid_utf8(text)));
  }
}

TEST(Utf8, ReplacesByteByByteAndKeepsTheRest) {
  EXPECT_EQ(to_valid_utf8("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(to_valid_utf8("\xE0\xA0"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(to_valid_utf8("\xC2\x41"), "\xEF\xBF\xBD\x41");
  EXPECT_EQ(to_valid_utf8(""), "");
  EXPECT_TRUE(is_utf8(""));
}

TEST(JsonString, AnyBytesGiveValidJson) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string text = {static_cast<char>(first), static_cast<char>(second)};
      std::string out;
      append_json_string(out, text);
      const auto read = nlohmann::json::parse(out, nullptr, false);
      ASSERT_TRUE(read.is_string()) << first << " " << second;
      EXPECT_EQ(read.get<std::string>(), to_valid_utf8(text));
    }
  }
}

TEST(JsonString, EscapesShortly) {
  std::string out = "x";
  append_json_string(out, "\"\\\n\r\t\x01\x7F/\xC3\xA9");
  EXPECT_EQ(out, "x\"\\\"\\\\\\n\\r\\t\\u0001\\u007f/\xC3\xA9\"");
}

}  // namespace
}  // namespace taskpipe
