// The options of retries and of the limits of waiting.
#pragma once

#include <cstdint>
#include <string>

#include <tl/expected.hpp>

#include "common/process/options.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::cli {

struct RetryOptions {
  std::uint32_t retries = 0;
  std::string retry_on;  // "exit,timeout"; empty = all but rejected
  Millis backoff{RetryPolicy{}.backoff_ms};
  Millis max_backoff{0};            // 0 = see longest_backoff
  std::int32_t worker_losses = -1;  // negative = the broker's own bound
  Millis queue_time{0};
  Millis no_progress{0};
};

void declare_retries(process::OptionTable& table, RetryOptions& options);

// INVALID naming the option at fault.
[[nodiscard]] tl::expected<RetryPolicy, Error> make_policy(const RetryOptions& options);

}  // namespace taskpipe::cli
