// From the options of `taskpipe submit` to what the client sends.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "client/cli/retry_options.hpp"
#include "common/process/options.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::cli {

struct SubmitOptions {
  std::vector<std::string> params;  // "key=value"
  std::string params_file;          // "-" = standard input
  std::string script_file;
  std::vector<std::string> inputs;  // "file" or "file:name"
  std::int32_t priority = 0;
  std::uint32_t cpus = 1;
  std::uint32_t gpus = 0;
  std::uint64_t memory_bytes = 0;
  std::vector<std::string> resources;  // "name=amount"
  Millis run_time{0};
  Millis grace{0};
  std::vector<std::string> labels;  // "key=value"
  bool wait_for_capacity = false;
  RetryOptions retry;
};

void declare(process::OptionTable& table, SubmitOptions& options);
// Its two parts: --param, which means something else to a sweep, and everything after it.
void declare_params(process::OptionTable& table, SubmitOptions& options, std::string help);
void declare_task(process::OptionTable& table, SubmitOptions& options);

// Reads the files that the options name. `script` may be empty. INVALID or TOO_BIG naming the
// option or field at fault.
[[nodiscard]] tl::expected<TaskRequest, Error> make_request(const std::string& tool,
                                                            const std::string& script,
                                                            const SubmitOptions& options);

}  // namespace taskpipe::cli
