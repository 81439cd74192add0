#include "client/cli/json_reader.hpp"

#include <cstdint>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/model/limits.hpp"

namespace taskpipe::cli {
namespace {

using ::testing::HasSubstr;

JsonError error_of(std::string_view text) {
  const auto value = read_json(text);
  EXPECT_FALSE(value.has_value()) << text;
  return value ? JsonError{} : value.error();
}

TEST(ReadJson, KeepsTypesApart) {
  const auto value = read_json(R"({"i": 1, "d": 1.0, "t": true, "n": null, "s": "é", "l": []})");
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(*value, Value(ValueMap{{"i", Value(1)},
                                   {"d", Value(1.0)},
                                   {"t", Value(true)},
                                   {"n", Value()},
                                   {"s", Value("é")},
                                   {"l", Value(ValueList{})}}));
}

TEST(ReadJson, MapsInListsInMaps) {
  const auto value = read_json(R"({"a": [{"b": [1, {"c": 2}]}, 3], "z": 4})");
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(to_json_text(*value), R"({"a":[{"b":[1,{"c":2}]},3],"z":4})");
}

TEST(ReadJson, SyntaxErrorsNameTheirPlace) {
  EXPECT_EQ(error_of("{\n  \"a\": 1,\n  oops\n}").problem, JsonProblem::syntax);
  EXPECT_THAT(error_of("{\n  \"a\": 1,\n  oops\n}").error.text, HasSubstr("line 3, column 3"));
  for (const char* text : {"", " ", "{", "[1,]", "{\"a\" 1}", "1 2", "'a'", "{\"a\": \xff}"}) {
    EXPECT_EQ(error_of(text).problem, JsonProblem::syntax) << text;
    EXPECT_THAT(error_of(text).error.text, HasSubstr("line 1, column ")) << text;
    EXPECT_EQ(error_of(text).error.code, ErrorCode::invalid);
  }
}

TEST(ReadJson, NoNumberIsSaidToBeNone) {
  EXPECT_THAT(error_of(R"({"dt": NaN})").error.text, HasSubstr("neither NaN nor infinities"));
  EXPECT_THAT(error_of(R"({"dt": -Infinity})").error.text, HasSubstr("neither NaN nor infinities"));
}

TEST(ReadJson, RefusesWhatItCannotKeep) {
  for (const char* text : {R"({"a": 1, "b": 2, "a": 3})", "[18446744073709551615]",
                           "[99999999999999999999]", "[-99999999999999999999]", "[1e999]"}) {
    EXPECT_EQ(error_of(text).problem, JsonProblem::content) << text;
  }
  EXPECT_THAT(error_of(R"({"a": 1, "a": 3})").error.text, HasSubstr("'a' stands twice"));
  // The same key in different maps is fine.
  EXPECT_TRUE(read_json(R"({"a": {"a": [{"a": 1}, {"a": 2}]}})").has_value());
}

TEST(ReadJson, DepthIsBoundedAndDeepInputDoesNoHarm) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(read_json(nested(limits::kMaxValueDepth)).has_value());
  EXPECT_EQ(error_of(nested(limits::kMaxValueDepth + 1)).problem, JsonProblem::content);
  EXPECT_EQ(error_of(std::string(5'000'000, '[')).problem, JsonProblem::content);
}

}  // namespace
}  // namespace taskpipe::cli
