// What the decoder refuses, and how it names the place.
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "common/model/limits.hpp"
#include "common/protocol/body_writer.hpp"
#include "common/protocol/codec.hpp"
#include "tests/unit/protocol/samples.hpp"

namespace taskpipe::protocol {
namespace {

// A message put together by hand, since the encoder would not write most of these.
tl::expected<DecodedMessage, Error> decode_raw(MessageType type, std::string_view body,
                                               const std::vector<std::string>& blobs = {}) {
  Header header;
  header.type = static_cast<std::uint8_t>(type);
  header.blob_count = static_cast<std::uint16_t>(blobs.size());
  const HeaderBytes bytes = encode_header(header);
  std::vector<FrameView> frames = {FrameView(bytes), samples::view(body)};
  for (const auto& blob : blobs) frames.push_back(samples::view(blob));
  return decode(frames);
}

void put_id(BodyWriter& out) { out.bin(samples::task_id(0).bytes()); }

void put_attempt(BodyWriter& out) {
  out.array(3);
  put_id(out);
  out.uint(7);
  out.uint(1);
}

void put_outcome(BodyWriter& out, std::uint64_t state) {
  out.array(7);
  out.uint(state);
  for (int i = 0; i < 3; ++i) out.uint(0);
  out.array(4);
  for (int i = 0; i < 4; ++i) out.uint(0);
  out.raw_text("");
  out.bin({});
}

// {1: [ items ]}
void put_items(BodyWriter& out, std::size_t count) {
  out.map(1);
  out.uint(1);
  out.array(count);
}

struct Refusal {
  std::string name;
  MessageType type;
  std::function<void(BodyWriter&)> write;
  ErrorCode code;
  std::string field;
  std::vector<std::string> blobs = {};
};

std::vector<Refusal> structure() {
  return {
      {"NoMap", MessageType::ping, [](auto& o) { o.array(0); }, ErrorCode::malformed, "body"},
      {"EmptyBody", MessageType::ping, [](auto&) {}, ErrorCode::malformed, "body"},
      {"MissingKey", MessageType::ping, [](auto& o) { o.map(0); }, ErrorCode::malformed, "t"},
      {"TextKey", MessageType::ping, [](auto& o) { o.map(1), o.raw_text("t"), o.uint(1); },
       ErrorCode::malformed, "key"},
      {"NegativeKey", MessageType::ping, [](auto& o) { o.map(1), o.sint(-1), o.uint(1); },
       ErrorCode::invalid, "key"},
      {"DuplicateKey", MessageType::ping,
       [](auto& o) { o.map(2), o.uint(1), o.uint(1), o.uint(1), o.uint(1); }, ErrorCode::malformed,
       "body"},
      {"DuplicateUnknownKey", MessageType::ping,
       [](auto& o) { o.map(3), o.uint(1), o.uint(1), o.uint(9), o.nil(), o.uint(9), o.nil(); },
       ErrorCode::malformed, "body"},
      {"TrailingBytes", MessageType::ping, [](auto& o) { o.map(1), o.uint(1), o.uint(1), o.nil(); },
       ErrorCode::malformed, "body"},
      {"TooManyPairs", MessageType::ping,
       [](auto& o) {
         o.map(257);
         for (int i = 0; i < 257; ++i) o.uint(100), o.nil();
       },
       ErrorCode::too_big, "body"},
      {"DeepUnknownKey", MessageType::ping,
       [](auto& o) {
         o.map(2), o.uint(1), o.uint(1), o.uint(9);
         for (int i = 0; i < 8; ++i) o.array(1);
         o.nil();
       },
       ErrorCode::malformed, "body"},
      {"NilForInteger", MessageType::ping, [](auto& o) { o.map(1), o.uint(1), o.nil(); },
       ErrorCode::malformed, "t"},
      {"FloatForInteger", MessageType::ping, [](auto& o) { o.map(1), o.uint(1), o.float64(1); },
       ErrorCode::malformed, "t"},
      {"NegativeCounter", MessageType::ping, [](auto& o) { o.map(1), o.uint(1), o.sint(-1); },
       ErrorCode::invalid, "t"},
      {"ShortTuple", MessageType::started,
       [](auto& o) { put_items(o, 1), o.array(1), put_attempt(o); }, ErrorCode::malformed,
       "items[0]"},
      {"MapForTuple", MessageType::started, [](auto& o) { put_items(o, 1), o.map(0); },
       ErrorCode::malformed, "items[0]"},
      {"NilForList", MessageType::started, [](auto& o) { o.map(1), o.uint(1), o.nil(); },
       ErrorCode::malformed, "items"},
      {"UnusedBlob",
       MessageType::ping,
       [](auto& o) { o.map(1), o.uint(1), o.uint(1); },
       ErrorCode::malformed,
       "blobs",
       {"blob"}},
  };
}

void put_submit_item(BodyWriter& out, std::uint64_t spec, const std::function<void()>& params) {
  out.array(4);
  put_id(out);
  out.uint(spec);
  params();
  out.bin(samples::task_id(0).bytes());
}

// {1: [{1: "shell"}], 2: [ items ]}
void put_submit(BodyWriter& out, std::size_t items) {
  out.map(2);
  out.uint(1);
  out.array(1);
  out.map(1);
  out.uint(1);
  out.raw_text("shell");
  out.uint(2);
  out.array(items);
}

std::vector<Refusal> values() {
  const auto uint_params = [](std::uint64_t index) {
    return [index](auto& o) {
      put_submit(o, 1);
      put_submit_item(o, 0, [&] { o.uint(index); });
    };
  };
  const auto percent = [](double value) {
    return [value](auto& o) {
      put_items(o, 1), o.array(4), put_attempt(o), o.float64(value), o.raw_text(""), o.map(0);
    };
  };
  return {
      {"ShortId", MessageType::recall,
       [](auto& o) {
         put_items(o, 1), o.array(3), o.bin(samples::view("0123456789abcde")), o.uint(1), o.uint(1);
       },
       ErrorCode::malformed, "attempts[0].task_id"},
      {"TextForId", MessageType::recall,
       [](auto& o) {
         put_items(o, 1), o.array(3), o.raw_text("0123456789abcdef"), o.uint(1), o.uint(1);
       },
       ErrorCode::malformed, "attempts[0].task_id"},
      {"AttemptOverflow", MessageType::recall,
       [](auto& o) { put_items(o, 1), o.array(3), put_id(o), o.uint(1), o.uint(1ULL << 32U); },
       ErrorCode::invalid, "attempts[0].attempt"},
      {"UnknownState", MessageType::result,
       [](auto& o) { put_items(o, 1), o.array(2), put_attempt(o), put_outcome(o, 7); },
       ErrorCode::invalid, "items[0].outcome.state"},
      {"RunningIsNoEnd", MessageType::result,
       [](auto& o) { put_items(o, 1), o.array(2), put_attempt(o), put_outcome(o, 1); },
       ErrorCode::invalid, "items[0].outcome.state"},
      {"UnknownCode", MessageType::result_ack,
       [](auto& o) { put_items(o, 1), o.array(2), put_attempt(o), o.uint(19); }, ErrorCode::invalid,
       "items[0].code"},
      {"UnknownRole", MessageType::hello, [](auto& o) { o.map(1), o.uint(1), o.uint(4); },
       ErrorCode::invalid, "role"},
      {"BinForText", MessageType::bye,
       [](auto& o) { o.map(1), o.uint(1), o.bin(samples::view("bye")); }, ErrorCode::malformed,
       "reason"},
      {"InvalidUtf8", MessageType::bye, [](auto& o) { o.map(1), o.uint(1), o.raw_text("\xff"); },
       ErrorCode::invalid, "reason"},
      {"LongText", MessageType::bye,
       [](auto& o) { o.map(1), o.uint(1), o.raw_text(std::string(1025, 'a')); }, ErrorCode::too_big,
       "reason"},
      {"IntegerForBoolean", MessageType::drained, [](auto& o) { o.map(1), o.uint(1), o.uint(1); },
       ErrorCode::malformed, "finished"},
      {"SpecOutOfRange", MessageType::submit,
       [](auto& o) {
         put_submit(o, 2);
         put_submit_item(o, 0, [&] { o.bin({}); });
         put_submit_item(o, 1, [&] { o.bin({}); });
       },
       ErrorCode::invalid, "items[1].spec"},
      {"NilForPayload", MessageType::submit,
       [](auto& o) {
         put_submit(o, 1);
         put_submit_item(o, 0, [&] { o.nil(); });
       },
       ErrorCode::malformed, "items[0].params"},
      {"InlinePayloadTooLong", MessageType::submit,
       [](auto& o) {
         put_submit(o, 1);
         put_submit_item(o, 0, [&] { o.bin(samples::view(std::string(4097, 'x'))); });
       },
       ErrorCode::too_big, "items[0].params"},
      {"NoSuchBlob",
       MessageType::submit,
       uint_params(1),
       ErrorCode::malformed,
       "items[0].params",
       {"only one"}},
      {"HugeBlobIndex",
       MessageType::submit,
       uint_params(1ULL << 63U),
       ErrorCode::malformed,
       "items[0].params",
       {"only one"}},
      {"BlobTakenTwice",
       MessageType::submit,
       [](auto& o) {
         put_submit(o, 2);
         put_submit_item(o, 0, [&] { o.uint(0); });
         put_submit_item(o, 0, [&] { o.uint(0); });
       },
       ErrorCode::malformed,
       "items[1].params",
       {"shared"}},
      {"BlobTooLarge",
       MessageType::submit,
       uint_params(0),
       ErrorCode::too_big,
       "items[0].params",
       {std::string(limits::kMaxPayloadBytes + 1, 'x')}},
      {"PercentNan", MessageType::progress, percent(std::numeric_limits<double>::quiet_NaN()),
       ErrorCode::invalid, "items[0].percent"},
      {"PercentNegative", MessageType::progress, percent(-0.5), ErrorCode::invalid,
       "items[0].percent"},
      {"PercentAbove100", MessageType::progress, percent(100.5), ErrorCode::invalid,
       "items[0].percent"},
      {"MetricTwice", MessageType::progress,
       [](auto& o) {
         put_items(o, 1), o.array(4), put_attempt(o), o.nil(), o.raw_text(""), o.map(2);
         o.raw_text("t"), o.float64(1), o.raw_text("t"), o.float64(2);
       },
       ErrorCode::malformed, "items[0].metrics.t"},
      {"LabelTwice", MessageType::submit,
       [](auto& o) {
         o.map(2), o.uint(1), o.array(1), o.map(2), o.uint(1), o.raw_text("shell"), o.uint(7);
         o.array(2), o.array(2), o.raw_text("a"), o.raw_text("1"), o.array(2), o.raw_text("a");
         o.raw_text("2"), o.uint(2), o.array(0);
       },
       ErrorCode::invalid, "specs[0].labels"},
      {"QueryLimit", MessageType::query, [](auto& o) { o.map(1), o.uint(6), o.uint(1001); },
       ErrorCode::invalid, "limit"},
      {"QueryParamsOfAll", MessageType::query,
       [](auto& o) { o.map(1), o.uint(7), o.boolean(true); }, ErrorCode::invalid, "with_params"},
  };
}

class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, NamesCodeAndPlace) {
  const Refusal& refusal = GetParam();
  BodyWriter out;
  refusal.write(out);
  const auto decoded = decode_raw(refusal.type, out.take_body(), refusal.blobs);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().code, refusal.code) << decoded.error().text;
  EXPECT_EQ(decoded.error().field, refusal.field);
  EXPECT_TRUE(decoded.error().text.starts_with(refusal.field)) << decoded.error().text;
}

std::string refusal_name(const testing::TestParamInfo<Refusal>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Structure, Refused, testing::ValuesIn(structure()), refusal_name);
INSTANTIATE_TEST_SUITE_P(Values, Refused, testing::ValuesIn(values()), refusal_name);

TEST(CodecStrictness, WorkersMustSayWhatTheyOffer) {
  Hello hello;
  hello.role = Role::worker;
  const auto encoded = encode(hello, Correlation(), SessionId());
  ASSERT_FALSE(encoded.has_value());
  EXPECT_EQ(encoded.error().field, "worker");
  hello.role = Role::client;
  hello.worker = WorkerOffer{};
  EXPECT_FALSE(encode(hello, Correlation(), SessionId()).has_value());
}

// That a client is an observer or an admin, its key says.
TEST(CodecStrictness, NobodySaysByItselfThatItIsAnAdmin) {
  for (const Role role : {Role::observer, Role::admin}) {
    Hello hello;
    hello.role = role;
    const auto encoded = encode(hello, Correlation(), SessionId());
    ASSERT_FALSE(encoded.has_value());
    EXPECT_EQ(encoded.error().field, "role");
  }
}

TEST(CodecStrictness, EachItemOfAWorkflowHasItsDependencies) {
  SubmitWorkflow workflow;
  workflow.specs = {samples::minimal_spec()};
  workflow.items = {{samples::task_id(0), 0, {}, {}}};
  const auto encoded = encode(workflow, Correlation(), SessionId());
  ASSERT_FALSE(encoded.has_value());
  EXPECT_EQ(encoded.error().field, "dependencies");
}

TEST(CodecStrictness, UnknownKeysOfAnyKindAreSkipped) {
  BodyWriter out;
  out.map(8);
  out.uint(40), out.map(1), out.raw_text("k"), out.array(2), out.nil(), out.boolean(true);
  out.uint(1), out.uint(77);
  out.uint(41), out.float64(1.5);
  out.uint(42), out.sint(-70'000);
  out.uint(43), out.bin(samples::view("bytes"));
  out.uint(44), out.raw_text("\xff");  // nobody reads it
  out.uint(1ULL << 40U), out.uint(1ULL << 40U);
  out.uint(45), out.boolean(false);
  const auto decoded = decode_raw(MessageType::ping, out.take_body());
  ASSERT_TRUE(decoded.has_value()) << decoded.error().text;
  EXPECT_EQ(std::get<Ping>(decoded->message).t, 77U);
}

TEST(CodecStrictness, ExtensionsAreSkippedToo) {
  using namespace std::string_view_literals;
  for (const auto extension : {"\xd4\x01\x00"sv,
                               "\xd8\x01"
                               "0123456789abcdef"sv,
                               "\xc7\x02\x05"
                               "ab"sv,
                               "\xca\x00\x00\x00\x00"sv}) {
    const std::string body = "\x82\x01\x05\x02" + std::string(extension);
    EXPECT_TRUE(decode_raw(MessageType::ping, body).has_value());
    EXPECT_FALSE(decode_raw(MessageType::ping, std::string_view(body).substr(0, body.size() - 1))
                     .has_value());
  }
}

TEST(CodecStrictness, TuplesMayGrow) {
  BodyWriter out;
  put_items(out, 1);
  out.array(4), put_attempt(out), out.uint(55), out.raw_text("later"), out.array(0);
  const auto decoded = decode_raw(MessageType::started, out.take_body());
  ASSERT_TRUE(decoded.has_value()) << decoded.error().text;
  EXPECT_EQ(std::get<Started>(decoded->message).items[0].pid, 55U);
}

TEST(CodecStrictness, IntegersOfAnyWidthAreRead) {
  using namespace std::string_view_literals;
  for (const auto five : {"\x05"sv, "\xcc\x05"sv, "\xcd\x00\x05"sv, "\xce\x00\x00\x00\x05"sv,
                          "\xcf\x00\x00\x00\x00\x00\x00\x00\x05"sv, "\xd0\x05"sv, "\xd1\x00\x05"sv,
                          "\xd2\x00\x00\x00\x05"sv, "\xd3\x00\x00\x00\x00\x00\x00\x00\x05"sv}) {
    const auto decoded = decode_raw(MessageType::ping, "\x81\x01" + std::string(five));
    ASSERT_TRUE(decoded.has_value()) << decoded.error().text;
    EXPECT_EQ(std::get<Ping>(decoded->message).t, 5U);
  }
}

TEST(CodecStrictness, PercentMayBeAnInteger) {
  BodyWriter out;
  put_items(out, 1), out.array(4), put_attempt(out), out.uint(42), out.raw_text(""), out.map(0);
  const auto decoded = decode_raw(MessageType::progress, out.take_body());
  ASSERT_TRUE(decoded.has_value()) << decoded.error().text;
  EXPECT_EQ(std::get<Progress>(decoded->message).items[0].percent, 42.0);
}

TEST(CodecStrictness, TypesNotInUseAreUnsupported) {
  for (const int type : {0, 8, 15, 38, 63, 78, 95, 97, 255}) {
    const auto decoded = decode_raw(static_cast<MessageType>(type), "\x80");
    ASSERT_FALSE(decoded.has_value());
    EXPECT_EQ(decoded.error().code, ErrorCode::unsupported);
  }
}

TEST(CodecStrictness, FrameCountMustMatchTheHeader) {
  const auto ping = encode(Ping{1}, Correlation(), SessionId());
  auto frames = samples::frames_of(*ping);
  frames.push_back(samples::view("unannounced"));
  const auto surplus = decode(frames);
  ASSERT_FALSE(surplus.has_value());
  EXPECT_EQ(surplus.error().code, ErrorCode::malformed);
  EXPECT_EQ(surplus.error().field, "frames");
  frames.resize(1);
  EXPECT_EQ(decode(frames).error().field, "frames");
  EXPECT_EQ(decode({}).error().field, "frames");
  frames.resize(67, samples::view(""));
  EXPECT_EQ(decode(frames).error().code, ErrorCode::too_big);
}

TEST(CodecStrictness, EventPositionsHaveOneSize) {
  const auto short_position = decode_events(samples::view("short"), samples::view("\x80"));
  ASSERT_FALSE(short_position.has_value());
  EXPECT_EQ(short_position.error().field, "position");
  const std::string position(24, '\0');
  EXPECT_FALSE(decode_events(samples::view(position), samples::view("")).has_value());
  EXPECT_TRUE(decode_events(samples::view(position), samples::view("\x80")).has_value());
}

}  // namespace
}  // namespace taskpipe::protocol
