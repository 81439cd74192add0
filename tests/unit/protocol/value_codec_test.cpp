#include "common/protocol/value_codec.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "common/model/limits.hpp"
#include "tests/unit/protocol/golden.hpp"
#include "tests/unit/protocol/samples.hpp"

namespace taskpipe::protocol {
namespace {

TEST(ValueCodec, WholeFloatsStayFloats) {
  for (const double number : {0.0, -0.0, 1.0, 1e15, -300.0}) {
    const auto decoded = decode_value(encode_value(number, "value")->bytes());
    ASSERT_TRUE(decoded.has_value());
    EXPECT_NE(decoded->as<double>(), nullptr) << number;
    EXPECT_EQ(*decoded, Value(number));
  }
}

TEST(ValueCodec, EqualParamsHaveEqualBytesAndHashes) {
  ValueMap forward;
  ValueMap backward;
  for (int i = 0; i < 50; ++i) forward["k" + std::to_string(i)] = i;
  for (int i = 49; i >= 0; --i) backward["k" + std::to_string(i)] = i;
  const auto a = encode_params(forward);
  const auto b = encode_params(backward);
  ASSERT_TRUE(a.has_value());
  EXPECT_EQ(*a, *b);
  EXPECT_EQ(hash_params(*a), hash_params(*b));
  forward["k7"] = 8;
  EXPECT_NE(hash_params(*a), hash_params(*encode_params(forward)));
}

TEST(ValueCodec, HashIsXxh3) {
  // The published value of XXH3-128 for the empty input.
  EXPECT_EQ(hash_params(Payload()), (ParamsHash{0x99aa06d3014798d8, 0x6001c324468d497f}));
}

TEST(ValueCodec, AbsentParamsAreEmpty) {
  const auto params = decode_params({});
  ASSERT_TRUE(params.has_value());
  EXPECT_TRUE(params->empty());
  EXPECT_FALSE(decode_value({}).has_value());
}

struct BadValue {
  Value value;
  std::string field;
};

TEST(ValueCodec, EncodeNamesThePlace) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const ValueMap grid{{"dx", nan}};
  const BadValue cases[] = {
      {nan, "result"},
      {-infinity, "result"},
      {ValueList{1, ValueList{infinity}}, "result[1][0]"},
      {ValueMap{{"grid", ValueList{1, 2, grid}}}, "result.grid[2].dx"},
      {ValueMap{{"", 1}}, "result"},
      {ValueMap{{"a", ValueMap{{"", 1}}}}, "result.a"},
      {ValueMap{{"a", "\xff"}}, "result.a"},
      {ValueMap{{"\xff", 1}}, "result"},
  };
  for (const auto& bad : cases) {
    const auto encoded = encode_value(bad.value, "result");
    ASSERT_FALSE(encoded.has_value());
    EXPECT_EQ(encoded.error().code, ErrorCode::invalid);
    EXPECT_EQ(encoded.error().field, bad.field);
  }
  const auto params = encode_params({{"grid", ValueList{1, 2, grid}}});
  ASSERT_FALSE(params.has_value());
  EXPECT_EQ(params.error().field, "params.grid[2].dx");
}

Value nested(std::size_t levels) {
  Value value = 1;
  for (std::size_t i = 1; i < levels; ++i) value = ValueList{std::move(value)};
  return value;
}

TEST(ValueCodec, DepthIsBoundedOnBothSides) {
  const auto deepest = encode_value(nested(limits::kMaxValueDepth), "value");
  ASSERT_TRUE(deepest.has_value());
  EXPECT_TRUE(decode_value(deepest->bytes()).has_value());
  EXPECT_FALSE(encode_value(nested(limits::kMaxValueDepth + 1), "value").has_value());
  const std::string deeper = "\x91" + std::string(deepest->text());
  const auto refused = decode_value(samples::view(deeper));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::invalid);
  EXPECT_FALSE(decode_value(samples::view(std::string(1'000'000, '\x91'))).has_value());
}

TEST(ValueCodec, SizeAndElementsAreBounded) {
  EXPECT_TRUE(encode_value(std::string(limits::kMaxPayloadBytes - 5, 'x'), "value").has_value());
  const auto too_long = encode_value(std::string(limits::kMaxPayloadBytes, 'x'), "value");
  ASSERT_FALSE(too_long.has_value());
  EXPECT_EQ(too_long.error().code, ErrorCode::too_big);
  const auto too_many = encode_value(ValueList(limits::kMaxValueElements, Value()), "value");
  ASSERT_FALSE(too_many.has_value());
  EXPECT_EQ(too_many.error().code, ErrorCode::too_big);
  const std::string bytes(limits::kMaxPayloadBytes + 1, '\xc0');
  EXPECT_EQ(decode_value(samples::view(bytes)).error().code, ErrorCode::too_big);
  // An array of a million nils and one: a small message that would become a large tree.
  const std::string array =
      "\xdd" + std::string("\x00\x0f\x42\x41", 4) + std::string(1'000'001, '\xc0');
  EXPECT_EQ(decode_value(samples::view(array)).error().code, ErrorCode::too_big);
}

struct BadBytes {
  std::string hex;
  ErrorCode code;
  std::string field;
};

TEST(ValueCodec, DecodeRefusesWhatHasNoMeaning) {
  const BadBytes cases[] = {
      {"c1", ErrorCode::malformed, "value"},                // never used
      {"d40100", ErrorCode::malformed, "value"},            // an extension
      {"cb7ff8000000000000", ErrorCode::invalid, "value"},  // NaN
      {"ca7f800000", ErrorCode::invalid, "value"},          // infinity, float 32
      {"cfffffffffffffffff", ErrorCode::invalid, "value"},  // beyond int64
      {"a1ff", ErrorCode::invalid, "value"},                // no UTF-8
      {"8101c0", ErrorCode::malformed, "value.key"},        // a key that is no text
      {"81a0c0", ErrorCode::invalid, "value"},              // an empty key
      {"82a161c0a161c0", ErrorCode::malformed, "value.a"},  // a key twice
      {"c0c0", ErrorCode::malformed, "value"},              // trailing
      {"92c0", ErrorCode::malformed, "value"},              // cut off
      {"9281a161cb7ff8000000000000c0", ErrorCode::invalid, "value[0].a"},
  };
  for (const auto& bad : cases) {
    const auto decoded = decode_value(samples::view(samples::from_hex(bad.hex)));
    ASSERT_FALSE(decoded.has_value()) << bad.hex;
    EXPECT_EQ(decoded.error().code, bad.code) << decoded.error().text;
    EXPECT_EQ(decoded.error().field, bad.field) << decoded.error().text;
  }
  EXPECT_FALSE(decode_params(samples::view("\x90")).has_value());  // params are a map
}

TEST(ValueCodec, ReportSurvivesTheRoundTrip) {
  for (const auto& report : {samples::report(), RunReport{}}) {
    const auto encoded = encode_report(report);
    ASSERT_TRUE(encoded.has_value()) << encoded.error().text;
    const auto decoded = decode_report(encoded->bytes());
    ASSERT_TRUE(decoded.has_value()) << decoded.error().text;
    EXPECT_EQ(*decoded, report);
  }
}

TEST(ValueCodec, ReportNamesTheMemberOfTheValue) {
  RunReport report;
  report.value = ValueMap{{"x", std::numeric_limits<double>::quiet_NaN()}};
  const auto encoded = encode_report(report);
  ASSERT_FALSE(encoded.has_value());
  EXPECT_EQ(encoded.error().field, "value.x");
}

TEST(ValueCodec, ReportIsBounded) {
  RunReport report;
  report.value = std::string(limits::kMaxResultBytes, 'x');
  const auto too_long = encode_report(report);
  ASSERT_FALSE(too_long.has_value());
  EXPECT_EQ(too_long.error().code, ErrorCode::too_big);
  report = RunReport{};
  report.artifacts.assign(limits::kMaxArtifacts + 1, {"a", "b", 0, ""});
  EXPECT_EQ(encode_report(report).error().field, "artifacts");
}

TEST(ValueCodec, DamagedPayloadsNeverHarm) {
  const std::string params(encode_params(samples::params())->text());
  const std::string report(encode_report(samples::report())->text());
  for (std::size_t size = 1; size < params.size(); ++size) {
    EXPECT_FALSE(decode_params(samples::view(params).first(size)).has_value());
  }
  for (std::size_t size = 0; size < report.size(); ++size) {
    EXPECT_FALSE(decode_report(samples::view(report).first(size)).has_value());
  }
  std::mt19937 random(99);
  for (int round = 0; round < 20'000; ++round) {
    for (std::string bytes : {params, report}) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
      const auto as_params = decode_params(samples::view(bytes));
      if (as_params) {
        EXPECT_TRUE(encode_params(*as_params).has_value());
      }
      const auto as_report = decode_report(samples::view(bytes));
      if (as_report) {
        EXPECT_TRUE(encode_report(*as_report).has_value());
      }
    }
  }
}

}  // namespace
}  // namespace taskpipe::protocol
