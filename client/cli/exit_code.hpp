// What the program's exit code tells a script. docs/cli.md is the normative table.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "taskpipe/client.hpp"

namespace taskpipe::cli {

enum class ExitCode : std::uint8_t {
  success = 0,
  not_successful = 1,   // a task did not succeed, has not ended, or does not exist
  usage = 2,            // the command line, a file given to it, or a value in either is wrong
  unreachable = 3,      // no broker answers
  timed_out = 4,        // the time given to the call has passed; the task goes on
  refused = 5,          // the broker, or a check before sending, said no
  interrupted = 130,    // Ctrl-C, SIGTERM or SIGHUP; the task goes on
  output_closed = 141,  // nobody reads the output any more (`taskpipe list | head`)
};

[[nodiscard]] constexpr int as_int(ExitCode code) { return static_cast<int>(code); }

// The address that was given for the broker or its events is none.
[[nodiscard]] bool is_address_error(const ClientError& error);

// An unknown task is `not_successful`: a script that asks about a task must not mistake it for one
// that waits, nor for a broker that is away.
[[nodiscard]] ExitCode exit_code_of(const ClientError& error);
// success only if every task succeeded.
[[nodiscard]] ExitCode exit_code_of(std::span<const TaskResult> results);

// The table of codes as text, for --help.
[[nodiscard]] std::string_view exit_code_help();

}  // namespace taskpipe::cli
