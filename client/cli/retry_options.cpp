#include "client/cli/retry_options.hpp"

#include <utility>

#include "client/cli/retry_policy.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::cli {
namespace {

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ',') {
      parts.emplace_back();
    } else if (c != ' ') {
      parts.back() += c;
    }
  }
  return parts;
}

tl::unexpected<Error> refused_option(const std::string& option, const std::string& why) {
  return tl::unexpected(Error{ErrorCode::invalid, "--" + option + ": " + why, option});
}

}  // namespace

void declare_retries(process::OptionTable& table, RetryOptions& options) {
  const Millis longest{limits::kMaxBackoffMs};
  table.group("Retries");
  table.integer<std::uint32_t>("retries", options.retries, {0, limits::kMaxTaskAttempts - 1},
                               "How many more attempts follow a failed one.");
  table.text("retry-on", options.retry_on, "CLASSES",
             "The classes of failure that are tried again, separated by commas: " +
                 retryable_names_text() + ". Without it all but rejected.");
  table.duration("backoff", options.backoff, {Millis{0}, longest},
                 "The wait before the second attempt; it doubles with each further one. Half of it "
                 "is scattered.");
  table.duration("max-backoff", options.max_backoff, {Millis{0}, longest},
                 "The longest such wait; 0 = 1m, or --backoff where that is longer.");
  table.integer<std::int32_t>("worker-losses", options.worker_losses,
                              {-1, static_cast<std::int32_t>(limits::kMaxTaskWorkerLosses)},
                              "How often it may be lost with its worker, and is then run again at "
                              "once; -1 = the broker's own bound.");
  table.duration("queue-time", options.queue_time,
                 {Millis{0}, Millis{static_cast<Millis::rep>(limits::kMaxQueueTimeMs)}},
                 "The longest that it may wait for a worker, once what it depends on has ended; 0 "
                 "= as long as it takes.");
  table.duration("no-progress", options.no_progress,
                 {Millis{0}, Millis{static_cast<Millis::rep>(limits::kMaxNoProgressMs)}},
                 "The longest that an attempt may write nothing and report nothing; 0 = it may be "
                 "silent.");
}

tl::expected<RetryPolicy, Error> make_policy(const RetryOptions& options) {
  RetryPolicy policy;
  policy.max_attempts = options.retries + 1;
  if (!options.retry_on.empty()) {
    if (options.retries == 0) {
      return refused_option("retry-on",
                            "nothing is tried again without --retries; add --retries N");
    }
    auto failures = read_failures(split_at_commas(options.retry_on), "--retry-on");
    if (!failures) {
      failures.error().field = "retry-on";
      return tl::unexpected(std::move(failures.error()));
    }
    policy.failures = *failures;
  }
  const Millis longest =
      options.max_backoff == Millis{0} ? longest_backoff(options.backoff) : options.max_backoff;
  if (options.backoff > longest) {
    return refused_option("backoff", "is longer than --max-backoff, the longest wait");
  }
  policy.backoff_ms = static_cast<std::uint32_t>(options.backoff.count());
  policy.max_backoff_ms = static_cast<std::uint32_t>(longest.count());
  if (options.worker_losses >= 0) {
    policy.max_worker_losses = static_cast<std::uint32_t>(options.worker_losses);
  }
  return policy;
}

}  // namespace taskpipe::cli
