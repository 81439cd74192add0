// The reader against the library: both must see the same values in the same bytes.
#include "common/protocol/body_reader.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <map>
#include <msgpack.hpp>

#include "common/protocol/body_writer.hpp"
#include "tests/unit/protocol/samples.hpp"

namespace taskpipe::protocol {
namespace {

template <class T>
std::string packed(const T& value) {
  msgpack::sbuffer buffer;
  msgpack::pack(buffer, value);
  return {buffer.data(), buffer.size()};
}

constexpr std::array<std::int64_t, 24> kIntegers = {0,          1,
                                                    127,        128,
                                                    255,        256,
                                                    32'767,     32'768,
                                                    65'535,     65'536,
                                                    1LL << 31U, 1LL << 32U,
                                                    INT64_MAX,  -1,
                                                    -32,        -33,
                                                    -128,       -129,
                                                    -32'768,    -32'769,
                                                    INT32_MIN,  INT32_MIN - 1LL,
                                                    INT64_MIN,  INT64_MAX - 1};

TEST(BodyReader, IntegersOfTheLibraryAreReadBack) {
  for (const std::int64_t value : kIntegers) {
    const std::string bytes = packed(value);
    BodyReader in(samples::view(bytes), {});
    EXPECT_EQ(in.sint("n"), value);
    in.finish();
    EXPECT_TRUE(in.ok()) << value;
  }
  const std::string largest = packed(std::numeric_limits<std::uint64_t>::max());
  BodyReader as_uint(samples::view(largest), {});
  EXPECT_EQ(as_uint.uint("n"), std::numeric_limits<std::uint64_t>::max());
  BodyReader as_sint(samples::view(largest), {});
  as_sint.sint("n");
  ASSERT_FALSE(as_sint.ok());
  EXPECT_EQ(as_sint.error()->code, ErrorCode::invalid);
}

TEST(BodyReader, WrittenIntegersAreReadByTheLibrary) {
  for (const std::int64_t value : kIntegers) {
    BodyWriter out;
    out.sint(value);
    const std::string bytes = out.take_body();
    EXPECT_EQ(bytes, packed(value));
    EXPECT_EQ(msgpack::unpack(bytes.data(), bytes.size()).get().as<std::int64_t>(), value);
  }
}

TEST(BodyReader, IntegersOutOfRangeAreInvalid) {
  const std::string bytes = packed(-5);
  for (const auto& [min, max] : {std::pair{-4, 10}, std::pair{-10, -6}}) {
    BodyReader in(samples::view(bytes), {});
    in.sint("n", min, max);
    ASSERT_FALSE(in.ok());
    EXPECT_EQ(in.error()->code, ErrorCode::invalid);
    EXPECT_EQ(in.error()->field, "n");
  }
}

TEST(BodyReader, NumbersAreReadAsFloats) {
  for (const auto& [bytes, value] :
       {std::pair{packed(0.1), 0.1}, std::pair{packed(0.5F), 0.5}, std::pair{packed(-7), -7.0},
        std::pair{packed(1ULL << 63U), 9223372036854775808.0}}) {
    BodyReader in(samples::view(bytes), {});
    EXPECT_EQ(in.floating("x"), value);
    EXPECT_TRUE(in.ok());
  }
}

TEST(BodyReader, TextAndBinOfAllLengthFormsAreReadBack) {
  for (const std::size_t size : {0U, 1U, 31U, 32U, 255U, 256U, 65'535U, 65'536U}) {
    const std::string text(size, 't');
    const std::string as_text = packed(text);
    BodyReader text_in(samples::view(as_text), {});
    EXPECT_EQ(text_in.text("t", size), text);
    text_in.finish();
    EXPECT_TRUE(text_in.ok()) << size;
    const std::string as_bin = packed(std::vector<char>(text.begin(), text.end()));
    BodyReader bin_in(samples::view(as_bin), {});
    EXPECT_EQ(bin_in.bin("b", size).size(), size);
    bin_in.finish();
    EXPECT_TRUE(bin_in.ok()) << size;
  }
}

TEST(BodyReader, ListsAndMapsOfAllLengthFormsAreReadBack) {
  for (const std::size_t size : {0U, 15U, 16U, 65'535U, 65'536U}) {
    const std::string list = packed(std::vector<int>(size, 1));
    BodyReader in(samples::view(list), {});
    ASSERT_EQ(in.enter_array("list", size), size);
    for (std::size_t i = 0; i < size; ++i) EXPECT_EQ(in.uint("n"), 1U);
    in.leave();
    in.finish();
    EXPECT_TRUE(in.ok());
    std::map<std::uint32_t, bool> entries;
    for (std::uint32_t i = 0; i < size; ++i) entries[i] = true;
    const std::string map = packed(entries);
    BodyReader skipping(samples::view(map), {});
    skipping.skip("map");
    skipping.finish();
    EXPECT_TRUE(skipping.ok());
    BodyReader entering(samples::view(map), {});
    EXPECT_EQ(entering.enter_map("map", size), size);
  }
}

TEST(BodyReader, TheFirstFailureSticks) {
  const std::string bytes = packed("text") + packed(1);
  BodyReader in(samples::view(bytes), {});
  EXPECT_EQ(in.uint("first"), 0U);
  EXPECT_EQ(in.uint("second"), 0U);
  EXPECT_EQ(in.text("third", 100), "");
  EXPECT_FALSE(in.take_nil());
  EXPECT_EQ(in.next_kind(), ValueKind::none);
  in.finish();
  ASSERT_FALSE(in.ok());
  EXPECT_EQ(in.error()->field, "first");
}

TEST(BodyReader, KindsOfAllFirstBytes) {
  for (unsigned tag = 0; tag < 256; ++tag) {
    // Enough bytes behind it for every fixed form; the library then tells what it was.
    std::string bytes(1, static_cast<char>(tag));
    bytes += std::string(40, '\0');
    BodyReader in(samples::view(bytes), {});
    const ValueKind kind = in.next_kind();
    if (tag == 0xc1) {
      EXPECT_EQ(kind, ValueKind::none);
      continue;
    }
    const auto handle = msgpack::unpack(bytes.data(), bytes.size());
    switch (handle.get().type) {
      case msgpack::type::NIL: EXPECT_EQ(kind, ValueKind::nil); break;
      case msgpack::type::BOOLEAN: EXPECT_EQ(kind, ValueKind::boolean); break;
      case msgpack::type::POSITIVE_INTEGER:
      case msgpack::type::NEGATIVE_INTEGER: EXPECT_EQ(kind, ValueKind::integer); break;
      case msgpack::type::FLOAT32:
      case msgpack::type::FLOAT64: EXPECT_EQ(kind, ValueKind::floating); break;
      case msgpack::type::STR: EXPECT_EQ(kind, ValueKind::text); break;
      case msgpack::type::BIN: EXPECT_EQ(kind, ValueKind::bin); break;
      case msgpack::type::ARRAY: EXPECT_EQ(kind, ValueKind::list); break;
      case msgpack::type::MAP: EXPECT_EQ(kind, ValueKind::map); break;
      case msgpack::type::EXT: EXPECT_EQ(kind, ValueKind::extension); break;
    }
    // Skipping consumes as much as the library does.
    std::size_t offset = 0;
    msgpack::unpack(bytes.data(), bytes.size(), offset);
    BodyReader exact(samples::view(bytes).first(offset), {});
    exact.skip("any");
    exact.finish();
    EXPECT_TRUE(exact.ok()) << tag << ": " << exact.error()->text;
  }
}

}  // namespace
}  // namespace taskpipe::protocol
