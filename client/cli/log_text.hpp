// Bytes of a log as pieces of whole characters, for JSON lines.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace taskpipe::cli {

struct LogText {
  std::uint64_t offset = 0;  // of its first byte in the log
  std::string data;          // nothing is added to what the task wrote
};

// A character that the border of two chunks has cut waits for its other bytes. Bytes that are no
// UTF-8 at all do not wait.
class LogTextAssembler {
 public:
  // The whole characters that there are with `data`, the log's bytes from `offset` on; nothing when
  // there is none. Where bytes are missing before `offset`, ask for the `rest` first.
  [[nodiscard]] std::optional<LogText> take(std::uint64_t offset, std::string_view data);
  // The beginning of a character whose other bytes do not come.
  [[nodiscard]] std::optional<LogText> rest();

 private:
  std::string pending_;
  std::uint64_t pending_offset_ = 0;
};

}  // namespace taskpipe::cli
