#include "common/process/units.hpp"

#include <cstdint>
#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace taskpipe::process {
namespace {

TEST(Duration, ReadsEveryUnit) {
  EXPECT_EQ(parse_duration("500ms"), Millis{500});
  EXPECT_EQ(parse_duration("30s"), Millis{30'000});
  EXPECT_EQ(parse_duration("5m"), Millis{300'000});
  EXPECT_EQ(parse_duration("2h"), Millis{7'200'000});
  EXPECT_EQ(parse_duration("1d"), Millis{86'400'000});
  EXPECT_EQ(parse_duration("0"), Millis{0});
  EXPECT_EQ(parse_duration("0s"), Millis{0});
}

TEST(Duration, RefusesWhatIsNone) {
  for (const char* text : {"", "s", "30", "-5s", "+5s", "1.5h", "5 s", " 5s", "5s ", "5S", "5M",
                           "1h30m", "5x", "0x10s", "1e3s", "s5", "99999999999999999999s"}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::invalid);
    EXPECT_NE(parsed.error().text.find("'" + std::string(text) + "'"), std::string::npos);
    EXPECT_NE(parsed.error().text.find("500ms, 30s, 5m, 2h or 1d"), std::string::npos);
  }
}

TEST(Duration, RefusesOverflow) {
  EXPECT_TRUE(parse_duration("9223372036854775807ms").has_value());
  EXPECT_FALSE(parse_duration("9223372036854775808ms").has_value());
  EXPECT_TRUE(parse_duration("106751991167d").has_value());
  EXPECT_FALSE(parse_duration("106751991168d").has_value());
}

TEST(Size, ReadsEveryUnitInPowersOf1024) {
  EXPECT_EQ(parse_size("4096"), 4096U);
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("7B"), 7U);
  for (const char* text : {"64K", "64k", "64Ki", "64KiB"}) EXPECT_EQ(parse_size(text), 65'536U);
  EXPECT_EQ(parse_size("10M"), 10U << 20U);
  EXPECT_EQ(parse_size("10Mi"), 10U << 20U);
  EXPECT_EQ(parse_size("2G"), 2ULL << 30U);
  EXPECT_EQ(parse_size("3TiB"), 3ULL << 40U);
}

TEST(Size, RefusesWhatIsNone) {
  for (const char* text : {"", "K", "-1", "1.5G", "5 M", "5KB", "5m", "5Kb", "5KiBs", "5iB", "5i",
                           "5X", "18446744073709551616"}) {
    const auto parsed = parse_size(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_NE(parsed.error().text.find("64K, 10M or 2G"), std::string::npos) << text;
  }
}

TEST(Size, RefusesOverflow) {
  EXPECT_EQ(parse_size("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_FALSE(parse_size("16777216T").has_value());
  EXPECT_TRUE(parse_size("16777215T").has_value());
}

TEST(Units, WriteTheShortestTextThatReadsBack) {
  EXPECT_EQ(to_text(Millis{0}), "0");
  EXPECT_EQ(to_text(Millis{90'000}), "90s");
  EXPECT_EQ(to_text(Millis{7'200'000}), "2h");
  EXPECT_EQ(to_text(Millis{1500}), "1500ms");
  EXPECT_EQ(size_to_text(0), "0");
  EXPECT_EQ(size_to_text(65'536), "64K");
  EXPECT_EQ(size_to_text(4097), "4097");
}

TEST(Units, RoundTrip) {
  for (const std::int64_t ms :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{999}, std::int64_t{60'000},
        std::int64_t{172'800'000}, std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(parse_duration(to_text(Millis{ms})), Millis{ms});
  }
  for (const std::uint64_t bytes : {std::uint64_t{1}, std::uint64_t{1023}, std::uint64_t{1} << 50U,
                                    std::numeric_limits<std::uint64_t>::max()}) {
    EXPECT_EQ(parse_size(size_to_text(bytes)), bytes);
  }
}

}  // namespace
}  // namespace taskpipe::process
