// From the words on the command line to the command that they name.
#pragma once

#include <string>
#include <vector>

#include "client/cli/command_table.hpp"
#include "client/cli/console.hpp"
#include "client/cli/invocation.hpp"
#include "common/process/options.hpp"

namespace taskpipe::cli {

// Options may stand before the command as well ("taskpipe --broker HOST list"). Prints what is
// wrong, with the nearest command that exists. Exceptions of the system (no threads, no memory)
// pass through.
[[nodiscard]] ExitCode run(const process::OptionSources& sources, Console& console);

}  // namespace taskpipe::cli
