#include "client/cli/toml_reader.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/model/limits.hpp"

namespace taskpipe::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string error_of(std::string_view text) {
  const auto document = read_toml(text);
  EXPECT_FALSE(document.has_value()) << text;
  return document ? "" : document.error().text;
}

TEST(ReadToml, EveryKindOfValue) {
  const auto document = read_toml(
      "text = 'a'\nwhole = 3\nreal = 0.5\nyes = true\nlist = [1, [2]]\n[map]\nkey = 'v'\n");
  ASSERT_TRUE(document.has_value()) << document.error().text;
  const auto* map = document->value.as<ValueMap>();
  ASSERT_NE(map, nullptr);
  EXPECT_EQ(map->at("text"), Value("a"));
  EXPECT_EQ(map->at("whole"), Value(3));
  EXPECT_EQ(map->at("real"), Value(0.5));
  EXPECT_EQ(map->at("yes"), Value(true));
  EXPECT_EQ(map->at("list"), Value(ValueList{Value(1), Value(ValueList{Value(2)})}));
  EXPECT_EQ(map->at("map"), Value(ValueMap{{"key", Value("v")}}));
}

TEST(ReadToml, ErrorsBeginWithThePlace) {
  EXPECT_THAT(error_of("a = 1\nb = ,\n"), StartsWith("line 2, column 5: "));
  EXPECT_THAT(error_of("a = 1\na = 2\n"), StartsWith("line 2, column "));
  EXPECT_THAT(error_of("a = [1,\n"), StartsWith("line "));
}

TEST(ReadToml, RefusesWhatAValueCannotKeep) {
  EXPECT_THAT(error_of("x = 1\nwhen = 2026-01-31\n"),
              AllOf(StartsWith("line 2, column 8: "), HasSubstr("quotes")));
  EXPECT_THAT(error_of("x = nan\n"), HasSubstr("NaN"));
  EXPECT_THAT(error_of("x = 123456789012345678901234567890\n"), StartsWith("line 1, column "));
  const std::string deep(limits::kMaxValueDepth + 1, '[');
  EXPECT_THAT(error_of("x = " + deep + std::string(deep.size(), ']')), HasSubstr("nested"));
}

TEST(ReadToml, KnowsWhereValuesStand) {
  const auto document = read_toml("name = 'w'\n[[tasks]]\ntool = 'a'\n[[tasks]]\nafter = [7]\n");
  ASSERT_TRUE(document.has_value());
  EXPECT_EQ(to_text(document->place_of("tasks[1].after[0]")), "line 5, column 10");
  EXPECT_EQ(to_text(document->place_of("tasks[1].tool")), "line 4, column 1");  // its table
  EXPECT_EQ(to_text(document->place_of("nothing")), "line 1, column 1");
}

}  // namespace
}  // namespace taskpipe::cli
