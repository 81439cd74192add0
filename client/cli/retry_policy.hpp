// What options and workflow files say of retries in the same words.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/task.hpp"
#include "common/model/time.hpp"

namespace taskpipe::cli {

// What is meant where nobody said: a minute, or the first wait where that is longer already.
[[nodiscard]] Millis longest_backoff(Millis backoff);

// The bits of RetryPolicy::failures for names such as "exit". INVALID with the nearest name;
// `field` begins the text.
[[nodiscard]] tl::expected<std::uint32_t, Error> read_failures(std::span<const std::string> names,
                                                               const std::string& field);
// "exit", "signal", "oom", "timeout", "spawn", "rejected".
[[nodiscard]] const std::vector<std::string>& retryable_names();
// The same with commas between them.
[[nodiscard]] std::string retryable_names_text();

}  // namespace taskpipe::cli
