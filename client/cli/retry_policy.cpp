#include "client/cli/retry_policy.hpp"

#include <algorithm>

#include "common/process/suggestion.hpp"

namespace taskpipe::cli {

const std::vector<std::string>& retryable_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (std::uint8_t i = 0; i <= static_cast<std::uint8_t>(kLastFailureClass); ++i) {
      const auto failure = static_cast<FailureClass>(i);
      if ((kRetryableFailures & failure_bit(failure)) != 0) list.emplace_back(name_of(failure));
    }
    return list;
  }();
  return names;
}

std::string retryable_names_text() {
  std::string text;
  for (const std::string& name : retryable_names()) text += (text.empty() ? "" : ", ") + name;
  return text;
}

tl::expected<std::uint32_t, Error> read_failures(std::span<const std::string> names,
                                                 const std::string& field) {
  std::uint32_t bits = 0;
  for (const std::string& name : names) {
    const auto& known = retryable_names();
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      const std::string near = process::nearest_name(name, known);
      return tl::unexpected(Error{
          ErrorCode::invalid,
          field + ": '" + name + "' is no class of failure that can be tried again; choose among " +
              retryable_names_text() + (near.empty() ? "" : "; did you mean '" + near + "'?"),
          field});
    }
    for (std::uint8_t i = 0; i <= static_cast<std::uint8_t>(kLastFailureClass); ++i) {
      const auto failure = static_cast<FailureClass>(i);
      if (name == name_of(failure)) bits |= failure_bit(failure);
    }
  }
  return bits;
}

Millis longest_backoff(Millis backoff) {
  return std::max(backoff, Millis(RetryPolicy{}.max_backoff_ms));
}

}  // namespace taskpipe::cli
