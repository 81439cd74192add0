#include "client/cli/assignments.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskpipe::cli {
namespace {

using ::testing::HasSubstr;
using Texts = std::vector<std::string>;

Value typed(std::string_view text) {
  auto value = typed_value(text);
  EXPECT_TRUE(value.has_value()) << text;
  return value ? *value : Value("(refused)");
}

TEST(TypedValue, JsonWhereItReadsAsJson) {
  EXPECT_EQ(typed("64"), Value(std::int64_t{64}));
  EXPECT_EQ(typed("-5"), Value(std::int64_t{-5}));
  EXPECT_EQ(typed("0.5"), Value(0.5));
  EXPECT_EQ(typed("1e3"), Value(1000.0));
  EXPECT_EQ(typed("true"), Value(true));
  EXPECT_EQ(typed("false"), Value(false));
  EXPECT_EQ(typed("null"), Value());
  EXPECT_EQ(typed("[1,\"a\"]"), Value(ValueList{std::int64_t{1}, "a"}));
  EXPECT_EQ(typed("{\"a\": {}}"), Value(ValueMap{{"a", ValueMap{}}}));
  EXPECT_EQ(typed("9223372036854775807"), Value(std::int64_t{INT64_MAX}));
}

TEST(TypedValue, QuotesForceAString) {
  EXPECT_EQ(typed("\"64\""), Value("64"));
  EXPECT_EQ(typed("\"\""), Value(""));
}

TEST(TypedValue, AnythingElseIsAString) {
  for (const char* text : {"", "abc", "007", "+5", ".5", "5.", "True", "NaN", "-inf", "[1,2",
                           "{a:1}", "1 2", "0x10", "'a'", "a=b", "/data/mesh.xml", "größer"}) {
    EXPECT_EQ(typed(text), Value(text)) << text;
  }
}

TEST(TypedValue, WhatIsJsonButCannotBeKeptIsRefused) {
  for (const char* text : {"1e999", "-1e999", "9223372036854775808", "123456789012345678901234",
                           "{\"a\":1,\"a\":2}"}) {
    const auto value = typed_value(text);
    ASSERT_FALSE(value.has_value()) << text;
    EXPECT_EQ(value.error().code, ErrorCode::invalid);
    EXPECT_THAT(value.error().text, HasSubstr("quotes"));
  }
  EXPECT_FALSE(typed_value(std::string(100, '[') + std::string(100, ']')).has_value());
  EXPECT_FALSE(typed_value("\xff\xfe").has_value());
}

TEST(AssignParams, TheLastOneOfAKeyWinsAndOverridesWhatWasThere) {
  ValueMap params = {{"steps", Value(1)}, {"kept", Value(2)}};
  ASSERT_TRUE(assign_params(params, Texts{"steps=10", "name=a=b", "steps=20", "empty="}));
  EXPECT_EQ(
      params,
      (ValueMap{
          {"steps", Value(20)}, {"kept", Value(2)}, {"name", Value("a=b")}, {"empty", Value("")}}));
}

TEST(AssignParams, MistakesNameTheParameter) {
  ValueMap params;
  for (const char* text : {"steps", "=5", ""}) {
    const auto done = assign_params(params, Texts{text});
    ASSERT_FALSE(done.has_value()) << text;
    EXPECT_EQ(done.error().field, "params");
    EXPECT_THAT(done.error().text, HasSubstr("key=value"));
  }
  const auto huge = assign_params(params, Texts{"dt=1e999"});
  ASSERT_FALSE(huge.has_value());
  EXPECT_EQ(huge.error().field, "params.dt");
  EXPECT_FALSE(assign_params(params, Texts{"a=\xc3"}).has_value());
}

TEST(ReadLabels, ValuesStayText) {
  const auto labels = read_labels(Texts{"run=7", "who=me=you"});
  ASSERT_TRUE(labels.has_value());
  EXPECT_EQ(*labels, (std::vector<Label>{{"run", "7"}, {"who", "me=you"}}));
}

TEST(ReadLabels, AKeyStandsOnce) {
  const auto labels = read_labels(Texts{"run=7", "run=8"});
  ASSERT_FALSE(labels.has_value());
  EXPECT_THAT(labels.error().text, HasSubstr("--label run is given twice"));
  EXPECT_FALSE(read_labels(Texts{"run"}).has_value());
}

TEST(ReadNamedResources, AmountsMayHaveUnitsOfSize) {
  const auto named = read_named_resources(Texts{"license=2", "scratch=10K"});
  ASSERT_TRUE(named.has_value());
  EXPECT_EQ(*named, (std::vector<NamedResource>{{"license", 2}, {"scratch", 10240}}));
}

TEST(ReadNamedResources, OtherAmountsAreRefused) {
  for (const char* text : {"license", "license=", "license=-1", "license=1.5", "license=many"}) {
    const auto named = read_named_resources(Texts{text});
    EXPECT_FALSE(named.has_value()) << text;
  }
  EXPECT_EQ(read_named_resources(Texts{"license=x"}).error().field, "resources.license");
}

}  // namespace
}  // namespace taskpipe::cli
