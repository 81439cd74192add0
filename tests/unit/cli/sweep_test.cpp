#include "client/cli/sweep.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskpipe::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Value> values_of(std::string_view assignment) {
  const auto axis = read_axis(assignment);
  EXPECT_TRUE(axis.has_value()) << assignment;
  return axis ? axis->values : std::vector<Value>{};
}

Error error_of(std::vector<std::string> assignments) {
  const auto sweep = read_sweep(assignments);
  EXPECT_FALSE(sweep.has_value()) << ::testing::PrintToString(assignments);
  return sweep ? Error{} : sweep.error();
}

TEST(ReadAxis, CommasSeparateValues) {
  EXPECT_THAT(values_of("a=1,2.5,x"), ElementsAre(Value(1), Value(2.5), Value("x")));
  EXPECT_THAT(values_of("a=one"), ElementsAre(Value("one")));
  EXPECT_THAT(values_of("a=x=1,y"), ElementsAre(Value("x=1"), Value("y")));
}

TEST(ReadAxis, CommasWithinBracketsAndQuotesDoNot) {
  EXPECT_THAT(values_of("cell=[1,2],[3,4]"), ElementsAre(Value(ValueList{Value(1), Value(2)}),
                                                         Value(ValueList{Value(3), Value(4)})));
  EXPECT_THAT(values_of(R"(m={"a":1,"b":2})"),
              ElementsAre(Value(ValueMap{{"a", Value(1)}, {"b", Value(2)}})));
  EXPECT_THAT(values_of(R"(s="a,b","c\",d")"), ElementsAre(Value("a,b"), Value("c\",d")));
}

TEST(ReadAxis, RangesOfIntegers) {
  EXPECT_THAT(values_of("n=1..3"), ElementsAre(Value(1), Value(2), Value(3)));
  EXPECT_THAT(values_of("n=0..100..40"), ElementsAre(Value(0), Value(40), Value(80)));
  EXPECT_THAT(values_of("n=-1..1,9"), ElementsAre(Value(-1), Value(0), Value(1), Value(9)));
  EXPECT_THAT(values_of("p=../data"), ElementsAre(Value("../data")));
  EXPECT_EQ(values_of("n=9223372036854775806..9223372036854775807").size(), 2U);
}

TEST(ReadAxis, MistakesNameTheKey) {
  EXPECT_THAT(error_of({"a=1,,2"}).text, HasSubstr("--param a: a value is empty"));
  EXPECT_EQ(error_of({"a="}).field, "params.a");
  EXPECT_THAT(error_of({"a=1,2,1"}).text, HasSubstr("1 stands twice"));
  EXPECT_THAT(error_of({"a=1..3,2"}).text, HasSubstr("2 stands twice"));
  EXPECT_THAT(error_of({"a=5..1"}).text, HasSubstr("upwards"));
  EXPECT_THAT(error_of({"a=1..5..0"}).text, HasSubstr("upwards"));
  EXPECT_THAT(error_of({"a=1e999"}).text, HasSubstr("--param a: "));
  EXPECT_THAT(error_of({"nothing"}).text, HasSubstr("--param 'nothing' is not of the form KEY="));
  EXPECT_THAT(error_of({"a=1", "a=2"}).text, HasSubstr("stands twice"));
}

TEST(ReadAxis, WhatLooksLikeARangeIsNeverText) {
  for (const char* values : {"1..99999999999999999999", "0.1..0.5", "1...5", "1..2..3..4"}) {
    EXPECT_THAT(error_of({std::string("a=") + values}).text, HasSubstr("is no range"));
  }
  EXPECT_THAT(values_of("a=1.."), ElementsAre(Value("1..")));
}

TEST(ReadAxis, EveryBracketAndQuoteHasItsOtherHalf) {
  for (const char* assignment : {"a=[1,2", "a=1],2", "a={\"b\":1", "a=\"x,y", "a=[1,2],[3"}) {
    EXPECT_THAT(error_of({assignment}).text, HasSubstr("other half"));
  }
  EXPECT_THAT(values_of(R"(a="5\" pipe",6)"), ElementsAre(Value("5\" pipe"), Value(6)));
}

TEST(ReadSweep, EveryCombinationOnce) {
  const std::vector<std::string> typed = {"a=1,2", "b=x", "c=10..12"};
  const auto sweep = read_sweep(typed);
  ASSERT_TRUE(sweep.has_value());
  ASSERT_EQ(sweep->count(), 6U);
  EXPECT_EQ(sweep->params(0), (ValueMap{{"a", Value(1)}, {"b", Value("x")}, {"c", Value(10)}}));
  EXPECT_EQ(sweep->params(1), (ValueMap{{"a", Value(1)}, {"b", Value("x")}, {"c", Value(11)}}));
  EXPECT_EQ(sweep->params(5), (ValueMap{{"a", Value(2)}, {"b", Value("x")}, {"c", Value(12)}}));
  EXPECT_EQ(sweep->label(4), "a=2 c=11");
  EXPECT_EQ(sweep->size_text(true), "6 tasks: a (2) × b (1) × c (3)");
  EXPECT_EQ(sweep->size_text(false), "6 tasks: a (2) x b (1) x c (3)");
}

TEST(ReadSweep, NoParameterIsOneTask) {
  const auto sweep = read_sweep({});
  ASSERT_TRUE(sweep.has_value());
  EXPECT_EQ(sweep->count(), 1U);
  EXPECT_EQ(sweep->label(0), "");
  EXPECT_EQ(sweep->size_text(true), "1 task");
}

TEST(ReadSweep, IsBounded) {
  const std::string most = "a=1.." + std::to_string(kMaxSweepTasks);
  EXPECT_EQ(read_sweep(std::vector{most})->count(), kMaxSweepTasks);
  EXPECT_EQ(error_of({most, "b=1,2"}).code, ErrorCode::too_big);
  EXPECT_EQ(error_of({"a=0.." + std::to_string(kMaxSweepTasks)}).code, ErrorCode::too_big);
  EXPECT_EQ(error_of({"a=-9223372036854775808..9223372036854775807"}).code, ErrorCode::too_big);
}

}  // namespace
}  // namespace taskpipe::cli
