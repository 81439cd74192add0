// Damaged input: the decoder refuses or reads it, but never crashes, hangs or asks for much memory.
#include <gtest/gtest.h>

#include <random>

#include "common/protocol/codec.hpp"
#include "common/protocol/value_codec.hpp"
#include "tests/unit/protocol/samples.hpp"

namespace taskpipe::protocol {
namespace {

using samples::Sample;

std::vector<std::string> copy_frames(const Sample& sample) {
  const auto encoded = encode(sample.message, Correlation(1), SessionId(2));
  std::vector<std::string> copies;
  for (const auto frame : samples::frames_of(*encoded)) {
    copies.emplace_back(reinterpret_cast<const char*>(frame.data()), frame.size());
  }
  return copies;
}

tl::expected<DecodedMessage, Error> decode_copies(const std::vector<std::string>& copies) {
  std::vector<FrameView> frames;
  // Exactly sized copies, so that the sanitizer sees a read behind the end.
  std::vector<std::vector<std::byte>> storage;
  for (const auto& copy : copies) {
    const auto bytes = samples::view(copy);
    storage.emplace_back(bytes.begin(), bytes.end());
  }
  frames.assign(storage.begin(), storage.end());
  return decode(frames);
}

void expect_named(const tl::expected<DecodedMessage, Error>& decoded) {
  if (decoded) return;
  EXPECT_NE(decoded.error().code, ErrorCode::ok);
  EXPECT_FALSE(decoded.error().field.empty());
  EXPECT_FALSE(decoded.error().text.empty());
}

class Damaged : public testing::TestWithParam<Sample> {};

TEST_P(Damaged, TruncatedAtEveryByteItIsRefused) {
  const auto whole = copy_frames(GetParam());
  ASSERT_TRUE(decode_copies(whole).has_value());
  for (std::size_t frame = 0; frame < 2; ++frame) {
    for (std::size_t size = 0; size < whole[frame].size(); ++size) {
      auto cut = whole;
      cut[frame].resize(size);
      const auto decoded = decode_copies(cut);
      EXPECT_FALSE(decoded.has_value()) << "frame " << frame << " at " << size;
      expect_named(decoded);
    }
  }
}

TEST_P(Damaged, MissingFramesAreRefused) {
  const auto whole = copy_frames(GetParam());
  for (std::size_t count = 0; count < whole.size(); ++count) {
    const std::vector<std::string> cut(whole.begin(),
                                       whole.begin() + static_cast<std::ptrdiff_t>(count));
    EXPECT_FALSE(decode_copies(cut).has_value());
  }
}

TEST_P(Damaged, AddedFramesAreRefused) {
  const auto whole = copy_frames(GetParam());
  for (std::size_t at = 0; at <= whole.size(); ++at) {
    for (const std::string& added : {std::string(), std::string("blob"), whole.front()}) {
      auto longer = whole;
      longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(at), added);
      EXPECT_FALSE(decode_copies(longer).has_value()) << "a frame added at " << at;
      // Also when the header owns up to it: no field refers to it.
      if (at < 2) continue;
      longer[0][7] = static_cast<char>(longer.size() - 2);
      const auto decoded = decode_copies(longer);
      EXPECT_FALSE(decoded.has_value()) << "a blob added at " << at;
      expect_named(decoded);
    }
  }
}

// Blobs are opaque: a shorter one is another message, whole by itself.
TEST_P(Damaged, BlobsMayBeOfAnyLength) {
  const auto whole = copy_frames(GetParam());
  for (std::size_t frame = 2; frame < whole.size(); ++frame) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, whole[frame].size() - 1}) {
      auto cut = whole;
      cut[frame].resize(size);
      EXPECT_TRUE(decode_copies(cut).has_value()) << "frame " << frame << " at " << size;
    }
  }
}

// Every position of header and body (of long ones, some hundred spread over them), by the values
// that mean something to msgpack.
TEST_P(Damaged, ReplacedBytesNeverHarm) {
  constexpr std::size_t kMostPositions = 400;
  const auto whole = copy_frames(GetParam());
  for (std::size_t frame = 0; frame < 2; ++frame) {
    const std::size_t stride = 1 + whole[frame].size() / kMostPositions;
    for (std::size_t at = 0; at < whole[frame].size(); at += stride) {
      for (const int value :
           {0x00, 0x01, 0x7f, 0x80, 0x81, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc3, 0xc4,
            0xc6, 0xc9, 0xca, 0xcb, 0xcf, 0xd3, 0xd9, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xff}) {
        auto damaged = whole;
        damaged[frame][at] = static_cast<char>(value);
        const auto decoded = decode_copies(damaged);
        expect_named(decoded);
        if (!decoded) continue;
        EXPECT_TRUE(encode(decoded->message, Correlation(), SessionId()).has_value())
            << "frame " << frame << ", byte " << at << ", value " << value;
      }
    }
  }
}

TEST_P(Damaged, FlippedBitsNeverHarm) {
  constexpr int kRounds = 2000;
  const auto whole = copy_frames(GetParam());
  std::mt19937 random(4711);
  for (int round = 0; round < kRounds; ++round) {
    auto damaged = whole;
    std::string& body = damaged[1];
    for (auto flips = 1 + random() % 3; flips > 0; --flips) {
      const auto at = random() % body.size();
      body[at] = static_cast<char>(static_cast<unsigned char>(body[at]) ^ (1U << random() % 8));
    }
    const auto decoded = decode_copies(damaged);
    expect_named(decoded);
    // What was accepted can be written again.
    if (decoded) {
      EXPECT_TRUE(encode(decoded->message, Correlation(), SessionId()).has_value());
    }
  }
}

TEST_P(Damaged, RandomBytesNeverHarm) {
  constexpr int kRounds = 300;
  auto frames = copy_frames(GetParam());
  frames.resize(2);
  frames[0][6] = frames[0][7] = '\0';  // no blobs
  std::mt19937 random(815);
  for (int round = 0; round < kRounds; ++round) {
    frames[1].resize(random() % 200);
    for (char& c : frames[1]) c = static_cast<char>(random());
    if (!frames[1].empty()) frames[1][0] = static_cast<char>(0x80U + random() % 16);
    expect_named(decode_copies(frames));
  }
}

std::string test_name(const testing::TestParamInfo<Sample>& info) {
  std::string name = info.param.name;
  for (char& c : name) {
    if (c == ' ') c = '_';
  }
  return name;
}
INSTANTIATE_TEST_SUITE_P(Codec, Damaged, testing::ValuesIn(samples::all()), test_name);

TEST(CodecHostile, EventsTruncatedAtEveryByteAreRefused) {
  for (const auto& sample : samples::events()) {
    const auto whole = encode_events("id.", std::get<Events>(sample.message));
    const FrameView position(whole.position);
    ASSERT_TRUE(decode_events(position, samples::view(whole.body)).has_value());
    for (std::size_t size = 0; size < position.size(); ++size) {
      const std::vector<std::byte> cut(position.begin(), position.begin() + size);
      EXPECT_FALSE(decode_events(cut, samples::view(whole.body)).has_value()) << size;
    }
    for (std::size_t size = 0; size < whole.body.size(); ++size) {
      const auto body = samples::view(whole.body);
      const std::vector<std::byte> cut(body.begin(), body.begin() + size);
      EXPECT_FALSE(decode_events(position, cut).has_value()) << size;
    }
  }
}

TEST(CodecHostile, PayloadsTruncatedAtEveryByteAreRefused) {
  const auto params = *encode_params(samples::params());
  EXPECT_TRUE(decode_params({}).has_value());  // none at all
  for (std::size_t size = 1; size < params.size(); ++size) {
    const std::vector<std::byte> cut(params.bytes().begin(), params.bytes().begin() + size);
    EXPECT_FALSE(decode_params(cut).has_value()) << size;
  }
  const auto report = *encode_report(samples::report());
  for (std::size_t size = 0; size < report.size(); ++size) {
    const std::vector<std::byte> cut(report.bytes().begin(), report.bytes().begin() + size);
    EXPECT_FALSE(decode_report(cut).has_value()) << size;
  }
}

std::vector<std::string> with_body(MessageType type, std::string body) {
  Header header;
  header.type = static_cast<std::uint8_t>(type);
  const HeaderBytes bytes = encode_header(header);
  return {std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), std::move(body)};
}

TEST(CodecHostile, CountsBeyondTheBytesLeftAreRefusedAtOnce) {
  using namespace std::string_literals;
  const std::string count = "\xff\xff\xff\xff"s;
  for (const auto& body : {"\x81\x01\xdd"s + count,  // array of 2^32 - 1
                           "\x81\x01\xdf"s + count,  // map
                           "\xdf"s + count,          // the body itself
                           "\x81\x01\xc6"s + count,  // bin
                           "\x81\x01\xdb"s + count,  // text
                           "\x81\x01\xc9"s + count,  // extension
                           "\x81\x21\xdd"s + count,  // below an unknown key
                           "\x81\x21\xc9"s + count + "\x01"s}) {
    for (const auto type : {MessageType::submit, MessageType::recall, MessageType::bye}) {
      const auto decoded = decode_copies(with_body(type, body));
      ASSERT_FALSE(decoded.has_value());
      // A text may exceed its bound before it exceeds the body.
      EXPECT_TRUE(decoded.error().code == ErrorCode::malformed ||
                  decoded.error().code == ErrorCode::too_big)
          << decoded.error().text;
    }
  }
}

TEST(CodecHostile, DepthBombsAreRefused) {
  for (const char open : {'\x91', '\x81'}) {
    const auto decoded = decode_copies(
        with_body(MessageType::ping, "\x82\x01\x01\x09" + std::string(100'000, open)));
    ASSERT_FALSE(decoded.has_value());
    EXPECT_EQ(decoded.error().code, ErrorCode::malformed);
  }
}

TEST(CodecHostile, TheByteThatMsgpackNeverUsesIsRefused) {
  const auto decoded = decode_copies(with_body(MessageType::ping, "\x82\x01\x01\x09\xc1"));
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().code, ErrorCode::malformed);
}

}  // namespace
}  // namespace taskpipe::protocol
