#include "common/protocol/utf8.hpp"

#include <gtest/gtest.h>

#include <array>

namespace taskpipe::protocol {
namespace {

using namespace std::string_view_literals;

constexpr std::array kValid = {""sv,
                               "plain"sv,
                               "a\0b"sv,
                               "0123456789abcdef"sv,
                               "größer als acht Bytes"sv,
                               "\xc2\x80"sv,
                               "\xdf\xbf"sv,
                               "\xe0\xa0\x80"sv,
                               "\xed\x9f\xbf"sv,
                               "\xee\x80\x80"sv,
                               "\xef\xbf\xbf"sv,
                               "\xf0\x90\x80\x80"sv,
                               "\xf4\x8f\xbf\xbf"sv};

constexpr std::array kInvalid = {"\x80"sv,              // a continuation alone
                                 "12345678\xff"sv,      // never occurs
                                 "\xc2"sv,              // cut off
                                 "\xe2\x82"sv,          // cut off
                                 "\xf0\x9f\x98"sv,      // cut off
                                 "\xc0\xaf"sv,          // overlong
                                 "\xc1\xbf"sv,          // overlong
                                 "\xe0\x9f\xbf"sv,      // overlong
                                 "\xf0\x8f\xbf\xbf"sv,  // overlong
                                 "\xed\xa0\x80"sv,      // surrogate
                                 "\xf4\x90\x80\x80"sv,  // beyond U+10FFFF
                                 "\xf5\x80\x80\x80"sv,  // beyond U+10FFFF
                                 "\xe2\x28\xa1"sv,      // no continuation
                                 "\xf0\x9f\x28\x80"sv,  // no continuation
                                 "good, then \xfe bad"sv};

TEST(Utf8, AcceptsWellFormedText) {
  for (const auto text : kValid) EXPECT_TRUE(is_utf8(text)) << text;
}

TEST(Utf8, RefusesEverythingElse) {
  for (const auto text : kInvalid) EXPECT_FALSE(is_utf8(text)) << text;
}

TEST(Utf8, RepairLeavesValidTextAlone) {
  for (const auto text : kValid) EXPECT_EQ(to_utf8(text, 1000), text);
}

TEST(Utf8, RepairMakesAnythingValid) {
  for (const auto text : kInvalid) {
    const std::string repaired = to_utf8(text, 1000);
    EXPECT_TRUE(is_utf8(repaired));
    EXPECT_NE(repaired.find("\xef\xbf\xbd"), std::string::npos);
  }
  EXPECT_EQ(to_utf8("a\xff"
                    "b",
                    1000),
            "a\xef\xbf\xbd"
            "b");
}

TEST(Utf8, CutsBetweenCharacters) {
  EXPECT_EQ(to_utf8("aüb", 4), "aüb");
  EXPECT_EQ(to_utf8("aüb", 3), "aü");
  EXPECT_EQ(to_utf8("aüb", 2), "a");
  EXPECT_EQ(to_utf8("aüb", 0), "");
  EXPECT_EQ(to_utf8("\xff\xff", 5), "\xef\xbf\xbd");
}

}  // namespace
}  // namespace taskpipe::protocol
