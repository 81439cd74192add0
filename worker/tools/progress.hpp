// Reads progress and metrics from what a tool prints.
//
// The generic `taskpipe-progress PERCENT [message]` lines are the executor's business; the readers
// here know the output of particular programs. Percentages never fall and never exceed 100; a
// reader that cannot know the end reports a message without a percentage.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/value.hpp"
#include "common/process/beneath.hpp"
#include "worker/exec/executor.hpp"
#include "worker/tools/manifest.hpp"

namespace taskpipe::worker {

// What a reader may know of its attempt before it starts.
struct ReaderContext {
  std::string_view script;  // the script's text; may be empty
  const ValueMap& params;
  process::FileOwner owner{};  // whose files may be read to know more, when the tool names them
};

// Null when the manifest asks for neither progress nor metrics. The manifest's patterns are shared,
// nothing else is kept of the arguments.
[[nodiscard]] std::unique_ptr<OutputParser> make_output_parser(const Manifest& manifest,
                                                               const ReaderContext& context);

}  // namespace taskpipe::worker
