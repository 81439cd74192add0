#include "client/cli/log_text.hpp"

#include <cstddef>
#include <utility>

namespace taskpipe::cli {
namespace {

constexpr std::size_t kMostBytesWaiting = 3;  // a character has at most four

// Where the last character begins if it is not whole, else the end.
std::size_t end_of_whole_characters(std::string_view text) {
  const std::size_t end = text.size();
  const std::size_t earliest = end > kMostBytesWaiting ? end - kMostBytesWaiting : 0;
  for (std::size_t i = end; i > earliest; --i) {
    const auto byte = static_cast<unsigned char>(text[i - 1]);
    if ((byte & 0xc0U) == 0x80U) continue;  // a continuation byte: its start comes before
    const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return i - 1 + length > end ? i - 1 : end;
  }
  return end;
}

}  // namespace

std::optional<LogText> LogTextAssembler::take(std::uint64_t offset, std::string_view data) {
  if (pending_.empty()) pending_offset_ = offset;
  pending_ += data;
  const std::size_t end = end_of_whole_characters(pending_);
  if (end == 0) return std::nullopt;
  LogText text{pending_offset_, pending_.substr(0, end)};
  pending_.erase(0, end);
  pending_offset_ += end;
  return text;
}

std::optional<LogText> LogTextAssembler::rest() {
  if (pending_.empty()) return std::nullopt;
  return LogText{pending_offset_, std::exchange(pending_, {})};
}

}  // namespace taskpipe::cli
