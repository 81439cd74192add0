// The last bytes of a stream, in constant memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace taskpipe::worker {

class TailBuffer {
 public:
  // Allocates as the stream grows, up to `capacity` bytes.
  explicit TailBuffer(std::size_t capacity) : capacity_(capacity) {}

  void append(std::string_view bytes);
  // The kept bytes in order.
  [[nodiscard]] std::string bytes() const;
  // As `bytes`, invalid UTF-8 replaced; a character that the cut at the front split is dropped.
  [[nodiscard]] std::string text() const;

 private:
  std::size_t capacity_;
  std::string ring_;
  std::size_t next_ = 0;  // where the next byte goes once the ring is full
  bool cut_ = false;
};

}  // namespace taskpipe::worker
