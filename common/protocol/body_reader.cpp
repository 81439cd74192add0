#include "common/protocol/body_reader.hpp"

#include <algorithm>
#include <bit>

#include "common/protocol/big_endian.hpp"
#include "common/protocol/msgpack_format.hpp"
#include "common/protocol/utf8.hpp"

namespace taskpipe::protocol {
namespace {

std::string more_than(std::uint64_t bound, std::string_view what) {
  return "has more than " + std::to_string(bound) + " " + std::string(what);
}

}  // namespace

ValueKind BodyReader::next_kind() const { return kind_of(peek()); }

bool BodyReader::take_tag(const char* name, std::uint8_t& tag) {
  if (at_ == end_) {
    fail(ErrorCode::malformed, name, "is cut off: the body ends here");
    return false;
  }
  tag = std::to_integer<std::uint8_t>(*at_++);
  return true;
}

bool BodyReader::take_integer(const char* name, std::size_t bytes, std::uint64_t& value) {
  const FrameView raw = take_bytes(name, bytes);
  if (raw.empty()) return false;
  value = load_sized(raw.data(), static_cast<unsigned>(std::countr_zero(bytes)));
  return true;
}

FrameView BodyReader::take_bytes(const char* name, std::size_t size) {
  if (size > left()) {
    fail(ErrorCode::malformed, name, "is cut off: the body ends before it does");
    return {};
  }
  const FrameView bytes(at_, size);
  at_ += size;
  return bytes;
}

// Length of a text, bin, array or map; for fixed forms it is in the tag itself.
bool BodyReader::take_length(const char* name, std::uint8_t tag, std::size_t& size) {
  std::size_t bytes = 0;
  if (tag >= kBin8 && tag <= kExt32) {
    bytes = std::size_t{1} << ((tag - kBin8) % 3U);
  } else if (tag >= kText8 && tag <= kText32) {
    bytes = std::size_t{1} << (tag - kText8);
  } else if (tag >= kArray16) {
    bytes = tag == kArray16 || tag == kMap16 ? 2 : 4;
  } else {
    size = tag & (tag >= kFixText ? 0x1fU : 0x0fU);
    return true;
  }
  std::uint64_t value = 0;
  if (!take_integer(name, bytes, value)) return false;
  size = value;
  return true;
}

bool BodyReader::integer(const char* name, Integer& value) {
  const std::uint8_t tag = peek();
  if (tag < kFixMap || tag >= kNegativeFixInt) {
    value =
        Integer{tag >= kNegativeFixInt, static_cast<std::uint64_t>(static_cast<std::int8_t>(tag))};
    ++at_;
    return true;
  }
  if (tag < kUint8 || tag > kInt64) {
    wrong_type(name, "an integer");
    return false;
  }
  ++at_;
  const bool is_signed = tag >= kInt8;
  const std::size_t bytes = std::size_t{1} << (tag - (is_signed ? kInt8 : kUint8));
  std::uint64_t bits = 0;
  if (!take_integer(name, bytes, bits)) return false;
  const unsigned unused = 64U - 8U * static_cast<unsigned>(bytes);
  if (is_signed) {  // extend the sign
    bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(bits << unused) >> unused);
  }
  value = Integer{is_signed && (bits >> 63U) != 0, bits};
  return true;
}

// Here and below the usual formats are read with one look at what is left, everything else, and
// whatever is wrong, on the long way behind it.
std::uint64_t BodyReader::wide_uint(const char* name, std::uint64_t max) {
  const std::uint8_t tag = peek();
  if (tag >= kUint8 && tag <= kUint64) {
    const unsigned width = tag - kUint8;
    const std::size_t bytes = std::size_t{1} << width;
    if (left() > bytes) {
      const std::uint64_t bits = load_sized(at_ + 1, width);
      if (bits <= max) {
        at_ += 1 + bytes;
        return bits;
      }
    }
  }
  Integer value;
  if (!integer(name, value)) return 0;
  if (value.negative) {
    fail(ErrorCode::invalid, name, "is negative");
    return 0;
  }
  if (value.bits > max) {
    fail(ErrorCode::invalid, name, "is larger than " + std::to_string(max));
    return 0;
  }
  return value.bits;
}

std::int64_t BodyReader::sint(const char* name, std::int64_t min, std::int64_t max) {
  if (min <= 0 && max > 0) {
    const std::uint8_t tag = peek();
    const auto most = static_cast<std::uint64_t>(max);
    if (tag < kFixMap && tag <= most) {
      ++at_;
      return tag;
    }
    if (tag == kUint64 && left() > sizeof(std::uint64_t)) {
      const std::uint64_t bits = load_big_endian<std::uint64_t>(at_ + 1);
      if (bits <= most) {
        at_ += 1 + sizeof bits;
        return static_cast<std::int64_t>(bits);
      }
    }
  }
  Integer value;
  if (!integer(name, value)) return 0;
  const auto number = static_cast<std::int64_t>(value.bits);
  if ((!value.negative && number < 0) || number > max) {
    fail(ErrorCode::invalid, name, "is larger than " + std::to_string(max));
    return 0;
  }
  if (number < min) {
    fail(ErrorCode::invalid, name, "is less than " + std::to_string(min));
    return 0;
  }
  return number;
}

bool BodyReader::boolean(const char* name) {
  if (next_kind() != ValueKind::boolean) {
    wrong_type(name, "a boolean");
    return false;
  }
  std::uint8_t tag = 0;
  take_tag(name, tag);
  return tag == kTrue;
}

double BodyReader::floating(const char* name) {
  if (next_kind() == ValueKind::integer) {
    Integer value;
    if (!integer(name, value)) return 0;
    return value.negative ? static_cast<double>(static_cast<std::int64_t>(value.bits))
                          : static_cast<double>(value.bits);
  }
  if (next_kind() != ValueKind::floating) {
    wrong_type(name, "a number");
    return 0;
  }
  std::uint8_t tag = 0;
  take_tag(name, tag);
  std::uint64_t bits = 0;
  if (tag == kFloat32) {
    take_integer(name, sizeof(float), bits);
    return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  take_integer(name, sizeof(double), bits);
  return std::bit_cast<double>(bits);
}

std::string_view BodyReader::text(const char* name, std::size_t bound) {
  const std::uint8_t tag = peek();
  const bool is_short = tag >= kFixText && tag < kNil;
  if (const std::size_t length = tag & 0x1fU; is_short && length < left() && length <= bound) {
    const std::string_view text(reinterpret_cast<const char*>(at_ + 1), length);
    if (is_utf8(text)) {
      at_ += 1 + length;
      return text;
    }
  }
  if (!is_short && kind_of(tag) != ValueKind::text) {
    wrong_type(name, "a text");
    return {};
  }
  ++at_;
  std::size_t size = 0;
  if (!take_length(name, tag, size)) return {};
  if (size > bound) {
    fail(ErrorCode::too_big, name, more_than(bound, "bytes"));
    return {};
  }
  const FrameView bytes = take_bytes(name, size);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!is_utf8(text)) {
    fail(ErrorCode::invalid, name, "is not valid UTF-8");
    return {};
  }
  return text;
}

FrameView BodyReader::bin(const char* name, std::size_t bound) {
  const std::uint8_t tag = peek();
  if (tag == kBin8 && left() >= 2) {
    const std::size_t length = std::to_integer<std::uint8_t>(at_[1]);
    if (length <= left() - 2 && length <= bound) {
      const FrameView bytes(at_ + 2, length);
      at_ += 2 + length;
      return bytes;
    }
  }
  if (tag < kBin8 || tag > kBin32) {
    wrong_type(name, "a bin");
    return {};
  }
  ++at_;
  std::size_t size = 0;
  if (!take_length(name, tag, size)) return {};
  if (size > bound) {
    fail(ErrorCode::too_big, name, more_than(bound, "bytes"));
    return {};
  }
  return take_bytes(name, size);
}

Payload BodyReader::payload(const char* name, std::size_t bound) {
  if (next_kind() == ValueKind::bin) {
    return Payload(bin(name, std::min(bound, limits::kMaxInlinePayloadBytes)));
  }
  if (next_kind() != ValueKind::integer) {
    wrong_type(name, "a bin or the index of a blob");
    return {};
  }
  const std::uint64_t index = uint(name);
  if (!ok()) return {};
  if (index >= blobs_.size()) {
    fail(ErrorCode::malformed, name,
         "refers to blob " + std::to_string(index) + " of " + std::to_string(blobs_.size()));
    return {};
  }
  // Each blob is copied once: two references to one would multiply what a message costs.
  if ((used_blobs_ >> index & 1U) != 0) {
    fail(ErrorCode::malformed, name,
         "refers to blob " + std::to_string(index) + ", which is taken already");
    return {};
  }
  used_blobs_ |= std::uint64_t{1} << index;
  if (blobs_[index].size() > bound) {
    fail(ErrorCode::too_big, name, more_than(bound, "bytes"));
    return {};
  }
  return Payload(blobs_[index]);
}

std::size_t BodyReader::open(const char* name, std::size_t count, std::size_t values_each,
                             std::size_t bound) {
  ++depth_;
  if (!ok()) return 0;
  if (depth_ > max_depth_) {
    fail(ErrorCode::malformed, name,
         "is nested deeper than " + std::to_string(max_depth_) + " levels");
    return 0;
  }
  if (count > left() / values_each) {
    fail(ErrorCode::malformed, name, "announces more entries than the body has bytes");
    return 0;
  }
  if (count > bound) {
    fail(ErrorCode::too_big, name, more_than(bound, "entries"));
    return 0;
  }
  return count;
}

std::size_t BodyReader::enter_long_array(const char* name, std::size_t bound) {
  std::uint8_t tag = 0;
  std::size_t count = 0;
  if (next_kind() != ValueKind::list) {
    wrong_type(name, "an array");
  } else if (take_tag(name, tag)) {
    take_length(name, tag, count);
  }
  return open(name, count, 1, bound);
}

std::size_t BodyReader::enter_map(const char* name, std::size_t bound) {
  std::uint8_t tag = 0;
  std::size_t count = 0;
  if (next_kind() != ValueKind::map) {
    wrong_type(name, "a map");
  } else if (take_tag(name, tag)) {
    take_length(name, tag, count);
  }
  return open(name, count, 2, bound);
}

bool BodyReader::take_nil() {
  if (next_kind() != ValueKind::nil) return false;
  ++at_;
  return true;
}

void BodyReader::skip(const char* name) {
  constexpr std::size_t kAnyCount = std::numeric_limits<std::size_t>::max();
  const ValueKind kind = next_kind();
  if (kind == ValueKind::list || kind == ValueKind::map) {
    // Recursion ends at max_depth_.
    const std::size_t count =
        kind == ValueKind::list ? enter_array(name, kAnyCount) : 2 * enter_map(name, kAnyCount);
    for (std::size_t i = 0; i < count && ok(); ++i) skip(name);
    leave();
    return;
  }
  std::uint8_t tag = 0;
  if (take_tag(name, tag)) skip_tagged(name, tag);
}

void BodyReader::skip_tagged(const char* name, std::uint8_t tag) {
  std::size_t size = 0;
  switch (kind_of(tag)) {
    case ValueKind::integer:
      if (tag >= kUint8 && tag <= kInt64) size = std::size_t{1} << ((tag - kUint8) % 4U);
      break;
    case ValueKind::floating: size = tag == kFloat32 ? sizeof(float) : sizeof(double); break;
    case ValueKind::text:
    case ValueKind::bin:
      if (!take_length(name, tag, size)) return;
      break;
    case ValueKind::extension:
      if (tag >= kFixExt1) {
        size = std::size_t{1} << (tag - kFixExt1);
      } else if (!take_length(name, tag, size)) {
        return;
      }
      ++size;  // the type of the extension
      break;
    case ValueKind::nil:
    case ValueKind::boolean: return;
    default: wrong_type(name, "a msgpack value"); return;
  }
  take_bytes(name, size);
}

void BodyReader::finish() {
  if (!ok()) return;
  if (left() != 0) {
    fail(ErrorCode::malformed, "", "is followed by " + std::to_string(left()) + " more bytes");
    return;
  }
  const auto used = static_cast<std::size_t>(std::popcount(used_blobs_));
  if (used != blobs_.size()) {
    fail(ErrorCode::malformed, "blobs",
         std::to_string(blobs_.size() - used) + " of them belong to no field");
  }
}

void BodyReader::wrong_type(const char* name, std::string_view wanted) {
  if (at_ == end_) {
    fail(ErrorCode::malformed, name, "is cut off: the body ends here");
  } else {
    fail(ErrorCode::malformed, name, "is not " + std::string(wanted));
  }
}

void BodyReader::fail(ErrorCode code, std::string_view leaf, std::string_view why) {
  at_ = end_;
  if (error_) return;
  std::string field = path_.with(leaf);
  std::string text = field + " " + std::string(why);
  error_ = Error{code, std::move(text), std::move(field)};
}

}  // namespace taskpipe::protocol
