#include "common/model/ids.hpp"

namespace taskpipe::detail {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kHalfDigits = 16;

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string to_hex(std::uint64_t high, std::uint64_t low) {
  std::string text(2 * kHalfDigits, '0');
  for (std::size_t i = 0; i < kHalfDigits; ++i) {
    text[i] = kDigits[(high >> (60U - 4U * i)) & 0xfU];
    text[i + kHalfDigits] = kDigits[(low >> (60U - 4U * i)) & 0xfU];
  }
  return text;
}

bool parse_hex(std::string_view text, std::uint64_t& high, std::uint64_t& low) {
  if (text.size() != 2 * kHalfDigits) return false;
  std::uint64_t parts[2] = {0, 0};
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int value = digit_value(text[i]);
    if (value < 0) return false;
    std::uint64_t& part = parts[i / kHalfDigits];
    part = (part << 4U) | static_cast<std::uint64_t>(value);
  }
  high = parts[0];
  low = parts[1];
  return true;
}

}  // namespace taskpipe::detail
