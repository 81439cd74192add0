#include "common/model/utf8.hpp"

namespace taskpipe {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr std::string_view kReplacementUtf8 = "\xEF\xBF\xBD";
constexpr Utf8Char kInvalid{kReplacement, 1, false};

constexpr unsigned byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

// What the first byte says: how long the sequence is, which of its bits count, and the smallest
// code point that needs this length.
struct Lead {
  std::size_t bytes;
  unsigned bits;
  char32_t smallest;
};

constexpr Lead lead_of(unsigned byte) {
  if (byte >= 0xF0 && byte <= 0xF4) return {4, byte & 0x07U, 0x10000};
  if (byte >= 0xE0 && byte < 0xF0) return {3, byte & 0x0FU, 0x800};
  if (byte >= 0xC2 && byte < 0xE0) return {2, byte & 0x1FU, 0x80};
  return {0, 0, 0};
}

}  // namespace

Utf8Char first_utf8_char(std::string_view text) {
  const unsigned first = byte_at(text, 0);
  if (first < 0x80) return {static_cast<char32_t>(first), 1, true};
  const Lead lead = lead_of(first);
  if (lead.bytes == 0 || text.size() < lead.bytes) return kInvalid;
  char32_t code_point = lead.bits;
  for (std::size_t i = 1; i < lead.bytes; ++i) {
    const unsigned byte = byte_at(text, i);
    if ((byte & 0xC0U) != 0x80U) return kInvalid;
    code_point = (code_point << 6U) | (byte & 0x3FU);
  }
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (code_point < lead.smallest || code_point > 0x10FFFF || surrogate) return kInvalid;
  return {code_point, lead.bytes, true};
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Char next = first_utf8_char(text);
    if (!next.valid) return false;
    text.remove_prefix(next.bytes);
  }
  return true;
}

std::string to_valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Char next = first_utf8_char(text);
    out += next.valid ? text.substr(0, next.bytes) : kReplacementUtf8;
    text.remove_prefix(next.bytes);
  }
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const Utf8Char next = first_utf8_char(text);
    switch (next.code_point) {
      case U'"': out += "\\\""; break;
      case U'\\': out += "\\\\"; break;
      case U'\n': out += "\\n"; break;
      case U'\r': out += "\\r"; break;
      case U'\t': out += "\\t"; break;
      default:
        if (next.code_point < 0x20 || next.code_point == 0x7F) {
          out += "\\u00";
          out += kDigits[next.code_point >> 4U];
          out += kDigits[next.code_point & 0xFU];
        } else {
          out += next.valid ? text.substr(0, next.bytes) : kReplacementUtf8;
        }
    }
    text.remove_prefix(next.bytes);
  }
  out += '"';
}

}  // namespace taskpipe
