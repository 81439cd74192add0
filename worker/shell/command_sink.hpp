// How the worker's other threads speak to its loop: batches of commands.
#pragma once

#include <functional>
#include <vector>

#include "common/process/mailbox.hpp"
#include "worker/core/command.hpp"
#include "worker/exec/executor.hpp"

namespace taskpipe::worker {

using CommandMailbox = process::Mailbox<std::vector<Command>>;

[[nodiscard]] Command to_command(ExecEvent event);

// Sinks for executors; `commands` must outlive them.
[[nodiscard]] Executor::Sink post_to(CommandMailbox& commands);
[[nodiscard]] std::function<void(std::vector<ExecEvent>)> post_batches_to(CommandMailbox& commands);

}  // namespace taskpipe::worker
