// What a worker tells its containers about itself, and the containers that it finds when it starts.
#pragma once

#include "common/process/logging.hpp"
#include "worker/shell/worker_identity.hpp"
#include "worker/shell/worker_options.hpp"
#include "worker/tools/tool_registry.hpp"

namespace taskpipe::worker {

[[nodiscard]] ContainerHost container_host(const WorkerOptions& options,
                                           const WorkerIdentity& identity);

// Removes the containers that an earlier life of this worker could not: what guards do not outlive
// is the loss of the whole host's processes. Before the first task; one call of each runtime.
void remove_old_containers(const ToolRegistry& tools, process::Logger& logger);

}  // namespace taskpipe::worker
