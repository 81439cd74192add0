#include "worker/exec/tail_buffer.hpp"

#include <algorithm>
#include <cstdint>

#include "common/protocol/utf8.hpp"

namespace taskpipe::worker {

void TailBuffer::append(std::string_view bytes) {
  if (bytes.size() >= capacity_) {
    cut_ = cut_ || !ring_.empty() || bytes.size() > capacity_;
    ring_.assign(bytes.substr(bytes.size() - capacity_));
    next_ = 0;
    return;
  }
  const std::size_t room = std::min(capacity_ - ring_.size(), bytes.size());
  ring_.append(bytes.substr(0, room));
  bytes.remove_prefix(room);
  while (!bytes.empty()) {
    cut_ = true;
    const std::size_t piece = std::min(bytes.size(), capacity_ - next_);
    bytes.copy(ring_.data() + next_, piece);
    next_ = (next_ + piece) % capacity_;
    bytes.remove_prefix(piece);
  }
}

std::string TailBuffer::bytes() const { return ring_.substr(next_) + ring_.substr(0, next_); }

std::string TailBuffer::text() const {
  const std::string kept = bytes();
  std::string_view view = kept;
  constexpr std::size_t kMaxContinuationBytes = 3;
  for (std::size_t i = 0; cut_ && i < kMaxContinuationBytes && !view.empty(); ++i) {
    if ((static_cast<std::uint8_t>(view.front()) & 0xC0U) != 0x80U) break;
    view.remove_prefix(1);
  }
  constexpr std::size_t kReplacementBytes = 3;
  return protocol::to_utf8(view, kReplacementBytes * capacity_);
}

}  // namespace taskpipe::worker
