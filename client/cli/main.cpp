// taskpipe: the command line. What it does is in app.cpp and commands/.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <iostream>
#include <ostream>

#include "client/cli/app.hpp"

namespace {

using taskpipe::cli::ExitCode;

// What was printed must have arrived: a full disk is an error, a reader that has gone is not one
// that needs a message.
ExitCode after_output(ExitCode code, taskpipe::cli::Console& console,
                      const taskpipe::cli::DescriptorBuffer& buffer) {
  console.out << std::flush;
  if (buffer.problem() == 0) return code;
  if (buffer.problem() == EPIPE) return ExitCode::output_closed;
  console.complain(std::string("taskpipe: cannot write the output: ") +
                   std::strerror(buffer.problem()));
  // A stream that was cut short by it ended as if nobody read any more.
  const bool spoilt = code == ExitCode::success || code == ExitCode::output_closed;
  return spoilt ? ExitCode::not_successful : code;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace taskpipe;
  cli::DescriptorBuffer out_buffer(STDOUT_FILENO);
  cli::DescriptorBuffer err_buffer(STDERR_FILENO);
  std::ostream out(&out_buffer);
  std::ostream err(&err_buffer);
  cli::Console console{out, err};
  console.out_is_terminal = ::isatty(STDOUT_FILENO) == 1;
  console.err_is_terminal = ::isatty(STDERR_FILENO) == 1;
  console.unicode = cli::locale_is_utf8();
  console.terminal_size = [] { return cli::terminal_size_of(STDOUT_FILENO); };
  try {
    const auto sources = process::OptionSources::of_process(argc, argv, cli::kConfigName);
    const ExitCode code = cli::run(sources, console);
    return cli::as_int(after_output(code, console, out_buffer));
  } catch (const std::exception& problem) {
    console.complain(std::string("taskpipe: ") + problem.what());
    return cli::as_int(ExitCode::refused);
  }
}
