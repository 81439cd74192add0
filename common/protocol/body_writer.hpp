// Writes one body as msgpack and sets large payloads aside as blobs. Private to common/protocol.
//
// The first failure sticks: later calls still write, and the caller looks at `error` once at the
// end. Output is canonical: integers and lengths in their shortest form, floats as float 64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/model/error.hpp"
#include "common/model/payload.hpp"
#include "common/protocol/field_path.hpp"

namespace taskpipe::protocol {

// Bytes that grow by doubling and are written by pointer: packers write a byte or nine at a time,
// and std::string::append is not inlined for that. No string before `take`: it would fill with
// zeros what it grows by, and keep up to twice the body in the queues of sockets.
class ByteSink {
 public:
  ByteSink() = default;
  ByteSink(ByteSink&& other) noexcept { *this = std::move(other); }
  ByteSink& operator=(ByteSink&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(capacity_, other.capacity_);
    std::swap(used_, other.used_);
    return *this;
  }
  ~ByteSink() { std::free(bytes_); }

  void write(const char* data, std::size_t size) {
    if (capacity_ - used_ < size) grow(size);
    std::memcpy(bytes_ + used_, data, size);
    used_ += size;
  }
  [[nodiscard]] std::size_t size() const { return used_; }
  [[nodiscard]] std::string take() { return {bytes_, std::exchange(used_, 0)}; }

 private:
  void grow(std::size_t size);

  char* bytes_ = nullptr;  // from realloc, which often need not copy
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
};

class BodyWriter {
 public:
  void map(std::size_t pairs);
  void array(std::size_t elements);
  void nil();
  void boolean(bool value);
  void uint(std::uint64_t value);
  void sint(std::int64_t value);
  void float64(double value);
  void bin(std::span<const std::byte> bytes);
  // Unchecked, for keys and texts that were checked before.
  void raw_text(std::string_view text);

  // TOO_BIG past `bound` bytes, INVALID when it is not UTF-8.
  void text(const char* name, std::string_view text, std::size_t bound);
  // Cut to `bound` bytes and made valid where that is needed; never fails.
  void prose(std::string_view text, std::size_t bound);
  // Inline up to limits::kMaxInlinePayloadBytes, else as a blob. TOO_BIG past `bound` bytes or
  // limits::kMaxBlobs blobs.
  void payload(const char* name, const Payload& payload, std::size_t bound);
  // TOO_BIG when `count` exceeds `bound`.
  void check_count(const char* name, std::size_t count, std::size_t bound);

  // Records the first failure: "<path> <why>".
  void fail(ErrorCode code, std::string_view leaf, std::string_view why);

  [[nodiscard]] FieldPath& path() { return path_; }
  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  [[nodiscard]] std::size_t size() const { return sink_.size(); }
  [[nodiscard]] std::string take_body() { return sink_.take(); }
  [[nodiscard]] std::vector<Payload> take_blobs() { return std::move(blobs_); }

 private:
  ByteSink sink_;
  std::vector<Payload> blobs_;
  FieldPath path_;
  std::optional<Error> error_;
};

}  // namespace taskpipe::protocol
