// Opens what the broker keeps, wires the parts, and serves until it is told to stop.
#pragma once

#include <string>
#include <vector>

#include "broker/shell/broker_options.hpp"
#include "common/process/logging.hpp"
#include "common/process/signals.hpp"

namespace taskpipe::broker {

// Returns the exit code: 0 after SIGTERM or SIGINT, 1 when the storage failed. `warnings` are shown
// by HEALTH. Throws std::runtime_error, naming what and the remedy, when it cannot start.
//
// Where journal and history can be read but not written, it serves reads only: the client port, no
// workers, no record; submits are refused with the reason.
[[nodiscard]] int serve(const BrokerOptions& options, std::vector<std::string> warnings,
                        process::SignalFd& signals, process::Logger& logger);

}  // namespace taskpipe::broker
