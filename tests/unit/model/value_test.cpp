#include "common/model/value.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/model/limits.hpp"

namespace taskpipe {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// A list within a list …, `depth` levels in all.
Value nested(std::size_t depth) {
  Value value(1);
  for (std::size_t level = 1; level < depth; ++level) value = Value(ValueList{std::move(value)});
  return value;
}

TEST(Value, HoldsEachTypeAsItself) {
  EXPECT_TRUE(Value().is_null());
  EXPECT_NE(Value(true).as<bool>(), nullptr);
  EXPECT_EQ(*Value(7).as<std::int64_t>(), 7);
  EXPECT_EQ(*Value(std::int64_t{1} << 60).as<std::int64_t>(), std::int64_t{1} << 60);
  EXPECT_EQ(*Value(1.5).as<double>(), 1.5);
  EXPECT_EQ(*Value("text").as<std::string>(), "text") << "and no bool";
  EXPECT_EQ(*Value(std::string_view("text")).as<std::string>(), "text");
  EXPECT_EQ(Value(7).as<double>(), nullptr);
  EXPECT_FALSE(Value(1) == Value(1.0));
  EXPECT_FALSE(Value("x") == Value(ValueBytes{"x"}));
}

TEST(Value, FindsMembersOfMapsOnly) {
  const Value map(ValueMap{{"a", 1}, {"b", "x"}});
  ASSERT_NE(map.find("b"), nullptr);
  EXPECT_EQ(*map.find("b"), Value("x"));
  EXPECT_EQ(map.find("c"), nullptr);
  EXPECT_EQ(Value(ValueList{1}).find("a"), nullptr);
  EXPECT_EQ(Value().find(""), nullptr);
}

TEST(CheckValue, AcceptsWhatMayTravel) {
  const Value value(ValueMap{{"n", {}}, {"list", ValueList{1, 2.5, "x", true}}, {"m", ValueMap{}}});
  EXPECT_EQ(check_value(value, "params"), std::nullopt);
  EXPECT_EQ(check_value(Value(std::numeric_limits<double>::denorm_min()), "x"), std::nullopt);
  EXPECT_EQ(check_value(nested(limits::kMaxValueDepth), "x"), std::nullopt);
}

TEST(CheckValue, NamesThePlace) {
  const Value value(
      ValueMap{{"grid", ValueList{ValueMap{}, 1, ValueMap{{"dx", kNan}}}}, {"a", "fine"}});
  const auto error = check_value(value, "params");
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ErrorCode::invalid);
  EXPECT_EQ(error->field, "params.grid[2].dx");
  EXPECT_TRUE(error->text.starts_with("params.grid[2].dx is not a finite number"));
}

TEST(CheckValue, RefusesNumbersThatAreNone) {
  for (const double number : {kNan, -kNan, kInfinity, -kInfinity}) {
    EXPECT_EQ(check_value(Value(number), "x")->field, "x");
  }
}

TEST(CheckValue, RefusesEmptyKeys) {
  const auto error = check_value(Value(ValueMap{{"a", ValueMap{{"", 1}}}}), "params");
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->field, "params.a");
}

TEST(CheckValue, RefusesDepthOneBeyondTheBound) {
  const auto error = check_value(nested(limits::kMaxValueDepth + 1), "x");
  ASSERT_TRUE(error.has_value());
  EXPECT_NE(error->text.find("32 levels"), std::string::npos);
  Value map(1);
  for (std::size_t level = 0; level < limits::kMaxValueDepth; ++level) {
    map = Value(ValueMap{{"k", std::move(map)}});
  }
  EXPECT_TRUE(check_value(map, "x").has_value());
}

TEST(JsonText, WritesEveryType) {
  EXPECT_EQ(to_json_text(Value()), "null");
  EXPECT_EQ(to_json_text(Value(true)), "true");
  EXPECT_EQ(to_json_text(Value(false)), "false");
  EXPECT_EQ(to_json_text(Value(std::numeric_limits<std::int64_t>::min())), "-9223372036854775808");
  EXPECT_EQ(to_json_text(Value(0.1)), "0.1");
  EXPECT_EQ(to_json_text(Value(ValueBytes{std::string("\0\xFFz", 3)})), "\"00ff7a\"");
  EXPECT_EQ(to_json_text(Value(ValueList{})), "[]");
  EXPECT_EQ(to_json_text(Value(ValueMap{})), "{}");
  EXPECT_EQ(to_json_text(Value(ValueMap{{"b", ValueList{1, "x", {}}}, {"a", 2.5}})),
            R"({"a":2.5,"b":[1,"x",null]})");
}

TEST(JsonText, NumbersThatAreNoneBecomeNull) {
  EXPECT_EQ(to_json_text(Value(ValueList{kNan, kInfinity, -kInfinity})), "[null,null,null]");
}

TEST(JsonText, DoublesComeBackExactly) {
  for (const double number :
       {0.0, -0.0, 0.1, 1e300, -1e-300, 1.0 / 3, std::numeric_limits<double>::max(),
        std::numeric_limits<double>::denorm_min(), 123456789012345678.0}) {
    const auto read = nlohmann::json::parse(to_json_text(Value(number)));
    EXPECT_EQ(read.get<double>(), number);
  }
}

TEST(JsonText, StringsAndKeysAreValidJsonWhateverTheyHold) {
  const Value value(ValueMap{{"k\"\n\xFF", Value("v\\\x1F\xC3")}});
  const auto read = nlohmann::json::parse(to_json_text(value), nullptr, false);
  ASSERT_TRUE(read.is_object());
  EXPECT_EQ(read.begin().key(), "k\"\n\xEF\xBF\xBD");
  EXPECT_EQ(read.begin().value(), "v\\\x1F\xEF\xBF\xBD");
}

TEST(ToText, IsWhatAToolSees) {
  EXPECT_EQ(to_text(Value()), "");
  EXPECT_EQ(to_text(Value("as is \"")), "as is \"");
  EXPECT_EQ(to_text(Value(true)), "true");
  EXPECT_EQ(to_text(Value(-5)), "-5");
  EXPECT_EQ(to_text(Value(0.25)), "0.25");
  EXPECT_EQ(to_text(Value(ValueBytes{"\x0A\xF0"})), "0af0");
  EXPECT_EQ(to_text(Value(ValueList{1, "x"})), R"([1,"x"])");
  EXPECT_EQ(to_text(Value(ValueMap{{"a", 1}})), R"({"a":1})");
}

}  // namespace
}  // namespace taskpipe
