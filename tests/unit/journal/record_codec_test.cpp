#include "broker/journal/record_codec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <variant>
#include <vector>

#include "tests/support/record_samples.hpp"

namespace taskpipe::broker {
namespace {

using taskpipe::testing::random_record;

std::vector<std::byte> encoded(const Record& record) {
  ByteBuffer buffer;
  encode_record(record, buffer);
  return {buffer.bytes().begin(), buffer.bytes().end()};
}

std::string hex(std::span<const std::byte> bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte b : bytes) {
    text += kDigits[std::to_integer<std::size_t>(b >> 4U)];
    text += kDigits[std::to_integer<std::size_t>(b & std::byte{0xf})];
  }
  return text;
}

TEST(RecordCodec, EveryKindReturns) {
  std::mt19937_64 random(2);
  for (std::size_t kind = 0; kind < std::variant_size_v<Record>; ++kind) {
    for (int i = 0; i < 300; ++i) {
      const Record record = random_record(random, kind);
      const auto decoded = decode_record(encoded(record));
      ASSERT_TRUE(decoded) << decoded.error().text;
      ASSERT_EQ(decoded->index(), kind);
      ASSERT_EQ(*decoded, record);
    }
  }
}

TEST(RecordCodec, RefusesEveryTruncation) {
  std::mt19937_64 random(3);
  for (std::size_t kind = 0; kind < std::variant_size_v<Record>; ++kind) {
    for (int i = 0; i < 10; ++i) {
      const auto bytes = encoded(random_record(random, kind));
      for (std::size_t length = 0; length < bytes.size(); ++length) {
        const auto decoded = decode_record(std::span(bytes).first(length));
        ASSERT_FALSE(decoded) << "kind " << kind << " cut at " << length;
        ASSERT_EQ(decoded.error().code, ErrorCode::malformed);
      }
    }
  }
}

TEST(RecordCodec, RefusesTrailingBytes) {
  std::mt19937_64 random(4);
  for (std::size_t kind = 0; kind < std::variant_size_v<Record>; ++kind) {
    auto bytes = encoded(random_record(random, kind));
    bytes.push_back(std::byte{0});
    EXPECT_FALSE(decode_record(bytes));
  }
}

// Under the sanitizers: nothing may be read, allocated or cast beyond bounds. What decodes must be
// the one encoding of what it decodes to, or differ in how it wrote a task id.
TEST(RecordCodec, SurvivesDamagedBytes) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 20'000; ++i) {
    auto bytes = encoded(random_record(random));
    for (std::uint64_t flips = 1 + random() % 4; flips > 0; --flips) {
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    }
    const auto decoded = decode_record(bytes);
    if (decoded) {
      const auto again = decode_record(encoded(*decoded));
      ASSERT_TRUE(again);
      ASSERT_EQ(*again, *decoded);
    }
  }
}

TEST(RecordCodec, SurvivesNoise) {
  std::mt19937_64 random(6);
  for (int i = 0; i < 50'000; ++i) {
    std::vector<std::byte> bytes(random() % 64);
    for (std::byte& b : bytes) b = static_cast<std::byte>(random());
    if (!bytes.empty()) bytes[0] = static_cast<std::byte>(random() % 16);
    static_cast<void>(decode_record(bytes));
  }
}

TEST(RecordCodec, DoesNotBelieveHugeCounts) {
  ByteBuffer buffer;
  buffer.put_byte(7);  // TasksStarted
  buffer.put_varint(0);
  buffer.put_varint(std::uint64_t{1} << 60U);
  EXPECT_FALSE(decode_record(buffer.bytes()));
}

TEST(RecordCodec, NamesAnUnknownType) {
  const std::vector<std::byte> bytes = {std::byte{200}, std::byte{1}};
  const auto decoded = decode_record(bytes);
  ASSERT_FALSE(decoded);
  EXPECT_THAT(decoded.error().text, ::testing::HasSubstr("record of type 200"));
  EXPECT_THAT(decoded.error().text, ::testing::HasSubstr("newer taskpipe"));
}

TEST(RecordCodec, RefusesUnknownEnumerationsAndIndices) {
  const auto with_state = [](unsigned packed) {
    ByteBuffer buffer;
    buffer.put_byte(10);   // TasksFinished
    buffer.put_varint(0);  // at
    buffer.put_varint(1);  // one item
    buffer.put_varint(3);  // id: the nil id + 1
    buffer.put_varint(1);  // attempt
    buffer.put_byte(static_cast<std::uint8_t>(packed));
    for (int i = 0; i < 8; ++i) buffer.put_varint(0);
    return decode_record(buffer.bytes()).has_value();
  };
  EXPECT_TRUE(with_state(0x86));   // cancelled, rejected: the last of both
  EXPECT_FALSE(with_state(0x87));  // no such state
  EXPECT_FALSE(with_state(0x96));  // no such failure class

  const auto with_index = [](std::uint32_t index) {
    record::TasksSubmitted submitted;
    submitted.specs = {std::make_shared<const TaskSpec>()};
    submitted.items = {SubmitItem{}};
    auto bytes = encoded(submitted);
    // …, items 1, id (1 byte), index, params length 0, hash of 16 bytes.
    bytes[bytes.size() - 18] = static_cast<std::byte>(index);
    return decode_record(bytes).has_value();
  };
  EXPECT_TRUE(with_index(0));
  EXPECT_FALSE(with_index(1));
}

TEST(RecordCodec, NeighbouringTasksTakeAByteEach) {
  const TaskIdPrefix prefix{1'700'000'000'000, 0x123456789abc};
  record::TasksDispatched dispatched{Epoch(3), {Placement{PeerUuid(1, 2)}}, {}};
  const std::size_t none = encoded(dispatched).size();
  for (std::uint32_t i = 0; i < 100; ++i) {
    dispatched.items.push_back({prefix.id(i), Attempt(1)});
  }
  // The first id whole (17 bytes), each further one a byte, and a byte per attempt.
  EXPECT_EQ(encoded(dispatched).size(), none + 17 + 99 + 100);
}

TEST(RecordCodec, IdsSurviveEveryDistance) {
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  const std::vector<TaskId> ids = {
      {0, 0}, {0, kMax},        {0, 0}, {0, kMax / 2},         {0, kMax}, {kMax, kMax}, {kMax, 0},
      {0, 0}, {0, 1ULL << 63U}, {0, 0}, {0, (1ULL << 63U) - 1}};
  const Record record = record::CancelRequested{WallTime{}, 0, ids};
  EXPECT_EQ(*decode_record(encoded(record)), record);
}

// A neighbour that is written whole says nothing new: one value has one encoding.
TEST(RecordCodec, RefusesASecondSpellingOfAnId) {
  const TaskId first(5, 1);
  const TaskId second(5, 2);
  const auto near = encoded(record::CancelRequested{WallTime{}, 0, {first, second}});
  auto bytes = encoded(record::CancelRequested{WallTime{}, 0, {first, TaskId(6, 2)}});
  ASSERT_EQ(near.size() + 16, bytes.size());
  ASSERT_TRUE(decode_record(bytes));
  bytes[bytes.size() - 16] = std::byte{5};
  EXPECT_FALSE(decode_record(bytes));
}

// The format on disk. When one of these changes, journals that exist can no longer be read: give
// the new layout a new type byte and keep reading the old one.
TEST(RecordCodec, TheFormatIsPinned) {
  EXPECT_EQ(hex(encoded(record::EpochStarted{Epoch(5), BrokerUuid(1, 2), WallTime{1000}})),
            "01"
            "05"
            "01000000000000000200000000000000"
            "d00f");
  EXPECT_EQ(hex(encoded(
                record::TasksDispatched{Epoch(300),
                                        {Placement{PeerUuid(0x11, 0x22)}},
                                        {{TaskId(7, 8), Attempt(1)}, {TaskId(7, 9), Attempt(2)}}})),
            "06"
            "ac02"
            "0111000000000000002200000000000000"
            "02"
            "000700000000000000080000000000000001"
            "0302");
  record::FinishedItem item{TaskId(0, 1), Attempt(1), {}};
  item.outcome =
      Outcome{TaskState::failure, FailureClass::exit, -2, 0, Usage{1, 2, 3, 4}, "no", Payload("r")};
  EXPECT_EQ(hex(encoded(record::TasksFinished{WallTime{-1}, {item}})),
            "0a"
            "01"
            "01"
            "0301"
            "13"
            "0300"
            "01020304"
            "026e6f"
            "0172");
  TaskSpec spec;
  spec.tool = "t";
  spec.script = "s";
  spec.priority = -1;
  spec.resources = Resources{1, 0, 5, {{"gb", 2}}};
  spec.labels = {{"k", "v"}};
  record::TasksSubmitted submitted;
  submitted.owner = "me";
  submitted.at = WallTime{1};
  submitted.first_arrival = Arrival(9);
  submitted.specs = {std::make_shared<const TaskSpec>(spec)};
  submitted.items = {SubmitItem{TaskId(0, 1), 0, Payload("p"), ParamsHash{3, 4}}};
  EXPECT_EQ(hex(encoded(submitted)),
            "04"
            "026d65"
            "02"
            "09"
            "01"
            "0174"
            "0173"
            "00"
            "01"
            "01000501026762"
            "02"
            "0000"
            "01016b0176"
            "00"
            "01"
            "0300"
            "0170"
            "03000000000000000400000000000000");
}

}  // namespace
}  // namespace taskpipe::broker
