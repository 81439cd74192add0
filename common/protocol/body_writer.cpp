// The one file that includes msgpack.hpp (it costs seconds to compile). Reading does without the
// library: see body_reader.hpp.
#include "common/protocol/body_writer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <msgpack.hpp>
#include <new>

#include "common/model/limits.hpp"
#include "common/protocol/big_endian.hpp"
#include "common/protocol/utf8.hpp"

namespace taskpipe::protocol {
namespace {

constexpr std::size_t kFirstCapacity = 256;

// A packer is one reference; making it per call costs nothing and keeps msgpack out of the header.
msgpack::packer<ByteSink> pack(ByteSink& sink) { return msgpack::packer<ByteSink>(sink); }

}  // namespace

void ByteSink::grow(std::size_t size) {
  const std::size_t capacity = std::max({kFirstCapacity, capacity_ * 2, used_ + size});
  void* grown = std::realloc(bytes_, capacity);
  if (grown == nullptr) throw std::bad_alloc();
  bytes_ = static_cast<char*>(grown);
  capacity_ = capacity;
}

void BodyWriter::map(std::size_t pairs) { pack(sink_).pack_map(static_cast<std::uint32_t>(pairs)); }

void BodyWriter::array(std::size_t elements) {
  pack(sink_).pack_array(static_cast<std::uint32_t>(elements));
}

void BodyWriter::nil() { pack(sink_).pack_nil(); }

void BodyWriter::boolean(bool value) {
  if (value) {
    pack(sink_).pack_true();
  } else {
    pack(sink_).pack_false();
  }
}

void BodyWriter::uint(std::uint64_t value) { pack(sink_).pack_uint64(value); }

void BodyWriter::sint(std::int64_t value) { pack(sink_).pack_int64(value); }

// By hand: the library writes 1.0 as the integer 1, and the reader would take a float for one.
void BodyWriter::float64(double value) {
  std::array<std::byte, 1 + sizeof(double)> bytes{std::byte{0xcb}};
  store_big_endian(&bytes[1], std::bit_cast<std::uint64_t>(value));
  sink_.write(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void BodyWriter::bin(std::span<const std::byte> bytes) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  pack(sink_).pack_bin(size);
  if (size != 0) pack(sink_).pack_bin_body(reinterpret_cast<const char*>(bytes.data()), size);
}

void BodyWriter::raw_text(std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  pack(sink_).pack_str(size);
  if (size != 0) pack(sink_).pack_str_body(text.data(), size);
}

void BodyWriter::text(const char* name, std::string_view text, std::size_t bound) {
  if (text.size() > bound) {
    fail(ErrorCode::too_big, name, "is longer than " + std::to_string(bound) + " bytes");
    return;
  }
  if (!is_utf8(text)) {
    fail(ErrorCode::invalid, name, "is not valid UTF-8");
    return;
  }
  raw_text(text);
}

void BodyWriter::prose(std::string_view text, std::size_t bound) {
  if (text.size() <= bound && is_utf8(text)) {
    raw_text(text);
  } else {
    raw_text(to_utf8(text, bound));
  }
}

void BodyWriter::payload(const char* name, const Payload& payload, std::size_t bound) {
  if (payload.size() > bound) {
    fail(ErrorCode::too_big, name,
         "has " + std::to_string(payload.size()) + " bytes, more than " + std::to_string(bound) +
             "; pass large data as a file");
    return;
  }
  if (payload.size() <= limits::kMaxInlinePayloadBytes) {
    bin(payload.bytes());
    return;
  }
  if (blobs_.size() == limits::kMaxBlobs) {
    fail(ErrorCode::too_big, name,
         "is one large payload too many for a message; 64 of more than 4096 bytes fit");
    return;
  }
  uint(blobs_.size());
  blobs_.push_back(payload);
}

void BodyWriter::check_count(const char* name, std::size_t count, std::size_t bound) {
  if (count <= bound) return;
  fail(ErrorCode::too_big, name,
       "has " + std::to_string(count) + " entries, more than " + std::to_string(bound) +
           "; send them in several messages");
}

void BodyWriter::fail(ErrorCode code, std::string_view leaf, std::string_view why) {
  if (error_) return;
  std::string field = path_.with(leaf);
  std::string text = field + " " + std::string(why);
  error_ = Error{code, std::move(text), std::move(field)};
}

}  // namespace taskpipe::protocol
