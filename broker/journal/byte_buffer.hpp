// Reading and writing of the journal's own binary format: little-endian fixed integers, LEB128
// varints, zigzag for signed ones, texts and blobs as a varint length and their bytes.
//
// ByteBuffer keeps its memory when it is cleared, so that a steady load allocates nothing.
// ByteReader never reads past its end: after the first impossible read it has failed for good and
// answers zeros and empty spans. Neither is thread-safe.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string_view>

namespace taskpipe::broker {

// Fixed little-endian integers at a place that the caller knows to be large enough.
template <class Integer>
void store_little_endian(std::byte* to, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    to[i] = static_cast<std::byte>(value >> (8 * i));
}
template <class Integer>
[[nodiscard]] Integer load_little_endian(const std::byte* from) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    value = static_cast<Integer>(value | (static_cast<Integer>(from[i]) << (8 * i)));
  }
  return value;
}

[[nodiscard]] constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1U) ^ (value < 0 ? ~std::uint64_t{0} : 0);
}
[[nodiscard]] constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1U) ^ (~(value & 1U) + 1U));
}

inline constexpr std::size_t kMaxVarintBytes = 10;

class ByteBuffer {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::byte* data() { return bytes_.get(); }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {bytes_.get(), size_}; }
  void clear() { size_ = 0; }
  // Gives the memory back as well.
  void reset() {
    bytes_.reset();
    size_ = 0;
    capacity_ = 0;
  }
  void truncate(std::size_t size) {
    assert(size <= size_);
    size_ = size;
  }

  void put_byte(std::uint8_t value) {
    ensure(1);
    bytes_[size_++] = std::byte{value};
  }
  void put_fixed32(std::uint32_t value) {
    ensure(sizeof value);
    store_little_endian(bytes_.get() + size_, value);
    size_ += sizeof value;
  }
  void put_fixed64(std::uint64_t value) {
    ensure(sizeof value);
    store_little_endian(bytes_.get() + size_, value);
    size_ += sizeof value;
  }
  void put_varint(std::uint64_t value) {
    ensure(kMaxVarintBytes);
    while (value >= 0x80U) {
      bytes_[size_++] = static_cast<std::byte>(value | 0x80U);
      value >>= 7U;
    }
    bytes_[size_++] = static_cast<std::byte>(value);
  }
  void put_bytes(std::span<const std::byte> bytes) {
    ensure(bytes.size());
    if (!bytes.empty()) std::memcpy(bytes_.get() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void put_zeros(std::size_t count) {
    ensure(count);
    if (count != 0) std::memset(bytes_.get() + size_, 0, count);
    size_ += count;
  }

 private:
  void ensure(std::size_t more) {
    if (capacity_ - size_ < more) grow(more);
  }
  void grow(std::size_t more) {
    constexpr std::size_t kFirstCapacity = 4096;
    std::size_t wanted = capacity_ < kFirstCapacity ? kFirstCapacity : 2 * capacity_;
    if (wanted - size_ < more) wanted = size_ + more;
    auto larger = std::make_unique_for_overwrite<std::byte[]>(wanted);
    if (size_ != 0) std::memcpy(larger.get(), bytes_.get(), size_);
    bytes_ = std::move(larger);
    capacity_ = wanted;
  }

  std::unique_ptr<std::byte[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - position_; }
  void fail() { failed_ = true; }

  std::uint8_t take_byte() {
    const auto bytes = take_bytes(1);
    return bytes.empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(bytes[0]);
  }
  std::uint32_t take_fixed32() { return take_fixed<std::uint32_t>(); }
  std::uint64_t take_fixed64() { return take_fixed<std::uint64_t>(); }
  // Fails on more than 64 bits, and on a padded encoding: one value has one encoding.
  std::uint64_t take_varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 7 * kMaxVarintBytes; shift += 7) {
      const std::uint64_t byte = take_byte();
      if (failed_) return 0;
      const std::uint64_t part = byte & 0x7fU;
      const bool overflows = shift == 63 && part > 1;
      const bool padded = shift != 0 && byte == 0;
      if (overflows || padded) break;
      value |= part << shift;
      if (byte < 0x80U) return value;
    }
    failed_ = true;
    return 0;
  }
  std::span<const std::byte> take_bytes(std::uint64_t count) {
    if (failed_ || count > left()) {
      failed_ = true;
      return {};
    }
    const auto taken = bytes_.subspan(position_, static_cast<std::size_t>(count));
    position_ += taken.size();
    return taken;
  }

 private:
  template <class Integer>
  Integer take_fixed() {
    const auto bytes = take_bytes(sizeof(Integer));
    return bytes.empty() ? Integer{0} : load_little_endian<Integer>(bytes.data());
  }

  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
  bool failed_ = false;
};

}  // namespace taskpipe::broker
