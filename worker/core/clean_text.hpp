// Text of tools on its way into text fields of the protocol, which take valid UTF-8 of bounded
// length only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace taskpipe::worker {

// Each byte that is not part of well-formed UTF-8 (RFC 3629) becomes U+FFFD; the result is cut
// between characters to at most `max_bytes`. O(length).
[[nodiscard]] std::string clean_text(std::string_view text, std::size_t max_bytes);

}  // namespace taskpipe::worker
