#include "worker/core/clean_text.hpp"

#include "common/model/utf8.hpp"

namespace taskpipe::worker {

std::string clean_text(std::string_view text, std::size_t max_bytes) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string clean;
  while (!text.empty()) {
    const Utf8Char next = first_utf8_char(text);
    const std::string_view piece = next.valid ? text.substr(0, next.bytes) : kReplacement;
    if (clean.size() + piece.size() > max_bytes) break;
    clean += piece;
    text.remove_prefix(next.bytes);
  }
  return clean;
}

}  // namespace taskpipe::worker
