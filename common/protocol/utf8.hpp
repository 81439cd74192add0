// Text on the wire is UTF-8 (RFC 3629). The codec refuses anything else on both sides, so whoever
// takes text from a log or a file system makes it valid first.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace taskpipe::protocol {

// No overlong forms, no surrogates, nothing above U+10FFFF. O(bytes).
[[nodiscard]] bool is_utf8(std::string_view text);

// `text` with each offending byte replaced by U+FFFD, cut to `max_bytes` between two characters.
[[nodiscard]] std::string to_utf8(std::string_view text, std::size_t max_bytes);

}  // namespace taskpipe::protocol
