// UTF-8, read strictly (RFC 3629): overlong forms, surrogates and code points beyond U+10FFFF are
// invalid. Text from tools and peers may hold any bytes; what people and JSON parsers see must not.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace taskpipe {

struct Utf8Char {
  char32_t code_point = 0;  // U+FFFD when not valid
  std::size_t bytes = 0;    // length of the sequence; 1 when not valid
  bool valid = false;
};

// The character that `text` starts with; `text` is not empty. O(1).
[[nodiscard]] Utf8Char first_utf8_char(std::string_view text);

[[nodiscard]] bool is_utf8(std::string_view text);

// `text` with every byte that belongs to no valid sequence replaced by U+FFFD. O(bytes).
[[nodiscard]] std::string to_valid_utf8(std::string_view text);

// Appends `text` as a JSON string with its quotes, valid for any bytes: control characters are
// escaped, bytes that are no UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace taskpipe
