#include "client/cli/exit_code.hpp"

#include <algorithm>

namespace taskpipe::cli {

bool is_address_error(const ClientError& error) {
  return error.failure == CallFailure::refused && error.error.code == ErrorCode::invalid &&
         (error.error.field == "broker" || error.error.field == "events");
}

ExitCode exit_code_of(const ClientError& error) {
  if (is_address_error(error)) return ExitCode::usage;
  switch (error.failure) {
    case CallFailure::refused:
      return error.error.code == ErrorCode::unknown_task ? ExitCode::not_successful
                                                         : ExitCode::refused;
    case CallFailure::timed_out: return ExitCode::timed_out;
    case CallFailure::unreachable: return ExitCode::unreachable;
    case CallFailure::stopped: return ExitCode::interrupted;
    case CallFailure::closed: return ExitCode::unreachable;
  }
  return ExitCode::refused;
}

ExitCode exit_code_of(std::span<const TaskResult> results) {
  const bool all = std::all_of(results.begin(), results.end(),
                               [](const TaskResult& result) { return result.succeeded(); });
  return all ? ExitCode::success : ExitCode::not_successful;
}

std::string_view exit_code_help() {
  return "Exit codes:\n"
         "  0    success\n"
         "  1    a task did not succeed, has not ended, or is unknown\n"
         "  2    usage error\n"
         "  3    no broker answers\n"
         "  4    timeout; the task goes on\n"
         "  5    refused, by the broker or by a check before sending\n"
         "  130  interrupted; the task goes on\n"
         "  141  nobody reads the output any more\n";
}

}  // namespace taskpipe::cli
