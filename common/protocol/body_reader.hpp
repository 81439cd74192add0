// Reads msgpack straight from the received bytes, value by value, without building an object tree.
// Private to common/protocol.
//
// Written by hand rather than with msgpack::unpack because of what the library lets pass: counts
// that ask for gigabytes, trailing bytes, bin read as text, duplicate keys. Here every count is
// checked against the bytes that are left before anything is reserved.
//
// The first failure sticks and moves the cursor to the end: every later read fails at once and
// returns zero, so callers may look at `ok` per item rather than per value. Views returned live as
// long as the frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/model/error.hpp"
#include "common/model/limits.hpp"
#include "common/model/payload.hpp"
#include "common/protocol/codec.hpp"
#include "common/protocol/field_path.hpp"

namespace taskpipe::protocol {

enum class ValueKind : std::uint8_t {
  none,  // nothing is left, or a byte that msgpack never uses
  nil,
  boolean,
  integer,
  floating,
  text,
  bin,
  list,
  map,
  extension,
};

class BodyReader {
 public:
  // `max_depth` bounds the nesting of arrays and maps.
  BodyReader(FrameView body, std::span<const FrameView> blobs,
             std::size_t max_depth = limits::kMaxBodyDepth)
      : at_(body.data()), end_(body.data() + body.size()), blobs_(blobs), max_depth_(max_depth) {}

  // Each of these consumes one value of that type; MALFORMED for another type, INVALID for an
  // integer out of range. `name` is the leaf of the error's path.
  std::uint64_t uint(const char* name,
                     std::uint64_t max = std::numeric_limits<std::uint64_t>::max()) {
    const std::uint8_t tag = peek();
    if (tag > kMaxFixInt || tag > max) return wide_uint(name, max);
    ++at_;
    return tag;
  }
  std::int64_t sint(const char* name, std::int64_t min = std::numeric_limits<std::int64_t>::min(),
                    std::int64_t max = std::numeric_limits<std::int64_t>::max());
  bool boolean(const char* name);
  // Integers count as floats: dynamic languages do not tell 50 from 50.0.
  double floating(const char* name);
  // TOO_BIG past `bound` bytes, INVALID when it is not UTF-8.
  std::string_view text(const char* name, std::size_t bound);
  FrameView bin(const char* name, std::size_t bound);
  // An inline bin, or the index of a blob that nothing else refers to.
  Payload payload(const char* name, std::size_t bound);

  // Opens an array (or map) and returns its count, which fits the bytes left; `leave` closes it.
  // TOO_BIG past `bound`.
  std::size_t enter_array(const char* name, std::size_t bound) {
    const std::size_t count = peek() & 0x0fU;
    const bool is_short = (peek() & 0xf0U) == kFixArrayTag && count < left() && count <= bound;
    if (!is_short || depth_ == max_depth_) return enter_long_array(name, bound);
    ++at_;
    ++depth_;
    return count;
  }
  std::size_t enter_map(const char* name, std::size_t bound);
  void leave() { --depth_; }

  [[nodiscard]] ValueKind next_kind() const;
  // Consumes a nil if one is next.
  bool take_nil();
  // Consumes one value of any kind.
  void skip(const char* name);

  // MALFORMED when bytes or unused blobs are left over.
  void finish();

  void fail(ErrorCode code, std::string_view leaf, std::string_view why);
  [[nodiscard]] FieldPath& path() { return path_; }
  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  struct Integer {
    bool negative = false;
    std::uint64_t bits = 0;  // two's complement when negative
  };

  // Most values are small: their formats are read inline, the others in body_reader.cpp.
  static constexpr std::uint8_t kMaxFixInt = 0x7f;
  static constexpr std::uint8_t kFixArrayTag = 0x90;
  static constexpr std::uint8_t kNeverUsedTag = 0xc1;

  // The next byte, or one that msgpack never uses at the end.
  [[nodiscard]] std::uint8_t peek() const {
    return at_ == end_ ? kNeverUsedTag : std::to_integer<std::uint8_t>(*at_);
  }
  std::uint64_t wide_uint(const char* name, std::uint64_t max);
  std::size_t enter_long_array(const char* name, std::size_t bound);

  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  bool take_tag(const char* name, std::uint8_t& tag);
  bool take_integer(const char* name, std::size_t bytes, std::uint64_t& value);
  FrameView take_bytes(const char* name, std::size_t size);
  bool take_length(const char* name, std::uint8_t tag, std::size_t& size);
  bool integer(const char* name, Integer& value);
  std::size_t open(const char* name, std::size_t count, std::size_t values_each, std::size_t bound);
  void wrong_type(const char* name, std::string_view wanted);
  void skip_tagged(const char* name, std::uint8_t tag);

  const std::byte* at_;
  const std::byte* end_;
  std::span<const FrameView> blobs_;
  std::uint64_t used_blobs_ = 0;  // one bit each
  std::size_t depth_ = 0;
  std::size_t max_depth_;
  FieldPath path_;
  std::optional<Error> error_;
};
static_assert(limits::kMaxBlobs <= 64, "one bit per blob");

}  // namespace taskpipe::protocol
