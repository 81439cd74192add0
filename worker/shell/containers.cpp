#include "worker/shell/containers.hpp"

#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "worker/tools/container_probe.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;

// As what mounts lead to: absolute, without links, without a slash at its end.
std::string canonical_folder(const fs::path& folder) {
  std::error_code failed;
  fs::path real = fs::weakly_canonical(folder, failed);
  if (failed) real = fs::absolute(folder).lexically_normal();
  if (!real.has_filename() && real.has_relative_path()) real = real.parent_path();
  return real.string();
}

}  // namespace

ContainerHost container_host(const WorkerOptions& options, const WorkerIdentity& identity) {
  ContainerHost host;
  host.worker = identity.uuid().to_string();
  host.uid = ::geteuid();
  host.gid = ::getegid();
  host.root = host.uid == 0;
  if (options.run_as) {
    host.uid = options.run_as->credentials.uid;
    host.gid = options.run_as->credentials.gid;
    host.groups = options.run_as->credentials.groups;
  }
  host.cpus = std::thread::hardware_concurrency();
  host.private_folders = {canonical_folder(options.work_dir)};
  return host;
}

std::vector<Unswept> remove_old_containers(const Environment& environment,
                                           const WorkerIdentity& identity,
                                           process::Logger& logger) {
  std::vector<Unswept> unswept;
  if (identity.incarnation() <= 1) return unswept;  // nobody had this label before
  for (const RuntimeClient& client : find_runtimes(environment)) {
    ContainerSweep sweep = sweep_containers(client, identity.uuid().to_string());
    if (sweep.error.empty()) {
      if (sweep.removed == 0) continue;
      logger.info("removed old containers",
                  {{"runtime", client.program}, {"removed", std::to_string(sweep.removed)}});
    } else if (sweep.found > 0) {
      logger.warning("cannot remove old containers", {{"runtime", client.program},
                                                      {"found", std::to_string(sweep.found)},
                                                      {"why", sweep.error}});
    } else {
      unswept.push_back({client.runtime, std::move(sweep.error)});
    }
  }
  return unswept;
}

void tell_unswept(const std::vector<Unswept>& unswept, const ToolRegistry& tools,
                  process::Logger& logger) {
  for (const Unswept& runtime : unswept) {
    if (!tools.names_runtime(runtime.runtime)) continue;
    logger.warning("cannot look for old containers",
                   {{"runtime", std::string(name_of(runtime.runtime))}, {"why", runtime.why}});
  }
}

void tell_unlimited(const ToolRegistry& tools, process::Logger& logger) {
  for (const Tool& tool : tools.tools()) {
    const ContainerSetup* const setup = tool.container();
    const std::string names = setup == nullptr ? "" : unlimited(setup->limits);
    if (names.empty()) continue;
    logger.warning("tool runs without limits",
                   {{"tool", tool.offer().name},
                    {"limits", names},
                    {"why", "the worker's user has no control groups of his own for podman"}});
  }
}

}  // namespace taskpipe::worker
