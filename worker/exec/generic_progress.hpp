// The progress line that every tool may print, whatever its own parser understands:
//
//   taskpipe-progress PERCENT [message]        for example: taskpipe-progress 42.5 meshing
//
// It starts at the beginning of a line, on either stream; PERCENT is 0 to 100, a % may follow it.
#pragma once

#include <memory>
#include <string_view>

#include "worker/exec/executor.hpp"

namespace taskpipe::worker {

// True when `line` is a progress line; then `out` is set. A malformed one is an ordinary line.
[[nodiscard]] bool read_generic_progress(std::string_view line, ParsedLine& out);

// Reads progress lines itself and leaves every other line to the tool's own parser, if any.
class GenericProgressParser final : public OutputParser {
 public:
  // `tool_parser` may be null.
  explicit GenericProgressParser(std::unique_ptr<OutputParser> tool_parser)
      : tool_parser_(std::move(tool_parser)) {}
  void read(LogStream stream, std::string_view line, ParsedLine& out) override;

 private:
  std::unique_ptr<OutputParser> tool_parser_;
};

}  // namespace taskpipe::worker
