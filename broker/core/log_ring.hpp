// The newest bytes of one output stream of a running task.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace taskpipe::broker {

class LogRing {
 public:
  // Bytes that lie before `end` are ignored; a gap starts the ring anew behind it.
  void append(std::uint64_t offset, std::string_view data);
  // What is held from `offset` on, at most `length` bytes; empty when `offset` is outside.
  [[nodiscard]] std::string_view read(std::uint64_t offset, std::size_t length) const;
  // Forgets what is held; what comes next begins anew.
  void drop() {
    begin_ = end();
    data_ = std::string();
  }
  [[nodiscard]] std::size_t held_bytes() const { return data_.capacity(); }
  [[nodiscard]] std::uint64_t begin() const { return begin_; }
  [[nodiscard]] std::uint64_t end() const { return begin_ + data_.size(); }

 private:
  std::uint64_t begin_ = 0;
  std::string data_;  // at most twice limits::kLogRingBytes, cut back to one when it gets there
};

}  // namespace taskpipe::broker
