// Frames out of a fuzzer's input, and what must hold for every message that decodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/messages.hpp"
#include "common/protocol/codec.hpp"

namespace taskpipe::fuzz {

// Ends the process, which the fuzzer takes for a crash.
[[noreturn]] void violated(std::string_view what);
inline void require(bool holds, std::string_view what) {
  if (!holds) violated(what);
}

// Takes an input apart from its front; what is missing reads as zero.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : left_(bytes) {}
  [[nodiscard]] bool empty() const { return left_.empty(); }
  std::uint8_t byte();
  std::uint16_t word();  // little-endian
  std::string_view take(std::size_t size);
  std::string_view rest() { return take(left_.size()); }

 private:
  std::string_view left_;
};

[[nodiscard]] inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Frames on the heap, each of exactly its size, so that the sanitizer sees a read behind its end.
class Frames {
 public:
  void add(std::string_view frame);
  [[nodiscard]] std::vector<protocol::FrameView> views() const;

 private:
  std::vector<std::vector<std::byte>> frames_;
};

// A message as inputs spell it: its type, the number of its blobs, the length of each (16 bits),
// the body, the blobs. The header is made to fit, so that mutations go where they matter.
[[nodiscard]] std::string spell(const protocol::EncodedMessage& message);
[[nodiscard]] Frames spelled_frames(std::string_view spelled);
[[nodiscard]] tl::expected<protocol::DecodedMessage, Error> decode_spelled(
    std::string_view spelled);

// What decodes must encode, and decode to an equal message again.
void check_round_trip(const Message& message);
// What we send must encode, and the peer must understand it.
void check_sendable(const Message& message);
void check_publishable(const std::string& topic, const Events& events);

}  // namespace taskpipe::fuzz
