#include "worker/shell/containers.hpp"

#include <unistd.h>

#include <set>
#include <string>
#include <thread>

#include "worker/tools/container_probe.hpp"

namespace taskpipe::worker {

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
  host.private_folders = {options.work_dir.string()};
  return host;
}

void remove_old_containers(const ToolRegistry& tools, process::Logger& logger) {
  std::set<std::string> asked;
  for (const Tool& tool : tools.tools()) {
    const ContainerSetup* setup = tool.container();
    if (setup == nullptr || !asked.insert(setup->program).second) continue;
    const ContainerSweep sweep = sweep_containers(*setup);
    if (!sweep.error.empty()) {
      logger.warning("cannot look for old containers",
                     {{"runtime", setup->program}, {"why", sweep.error}});
    } else if (sweep.removed > 0) {
      logger.info("removed old containers",
                  {{"runtime", setup->program}, {"removed", std::to_string(sweep.removed)}});
    }
  }
}

}  // namespace taskpipe::worker
