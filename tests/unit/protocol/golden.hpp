// The golden vectors as text: what tests/golden/messages.txt holds.
#pragma once

#include <string>

namespace taskpipe::protocol::samples {

// One line per message: its name, a colon, its frames in hex, separated by blanks. Lines that begin
// with "EVENT" are messages of the PUB channel: topic, position and body. Lines that begin with
// "PAYLOAD" are what travels in payloads.
[[nodiscard]] std::string golden_text();

[[nodiscard]] std::string to_hex(std::string_view bytes);
[[nodiscard]] std::string from_hex(std::string_view hex);

}  // namespace taskpipe::protocol::samples
