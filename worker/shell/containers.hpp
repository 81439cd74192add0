// What a worker tells its containers about itself, and the containers that it finds when it starts.
#pragma once

#include <string>
#include <vector>

#include "common/process/logging.hpp"
#include "worker/shell/worker_identity.hpp"
#include "worker/shell/worker_options.hpp"
#include "worker/tools/tool_registry.hpp"

namespace taskpipe::worker {

[[nodiscard]] ContainerHost container_host(const WorkerOptions& options,
                                           const WorkerIdentity& identity);

// A runtime that did not tell which containers there are.
struct Unswept {
  ContainerRuntime runtime = ContainerRuntime::docker;
  std::string why;
};
// Removes the containers that an earlier life of this worker left: those whose guards were killed
// with it, as systemd does. First of all, whatever tools there will be: before a probe or a pull,
// which may last. Two calls of each runtime on PATH, each with a bound; none in a first life.
[[nodiscard]] std::vector<Unswept> remove_old_containers(const Environment& environment,
                                                         const WorkerIdentity& identity,
                                                         process::Logger& logger);
// Warns of those that a manifest names: on other hosts, a client without a daemon is nothing odd.
// Warns of each tool whose runtime cannot limit here what it limits elsewhere.
void tell_unlimited(const ToolRegistry& tools, process::Logger& logger);
void tell_unswept(const std::vector<Unswept>& unswept, const ToolRegistry& tools,
                  process::Logger& logger);

}  // namespace taskpipe::worker
