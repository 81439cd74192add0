#include "worker/tools/container_plan.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace taskpipe::worker {
namespace {

using Arguments = std::vector<std::string>;

void add(Arguments& out, std::initializer_list<std::string> arguments) {
  out.insert(out.end(), arguments);
}

// A value of --mount is a line of CSV.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string mount_value(const std::string& host, const std::string& inside, bool writable) {
  return "type=bind," + csv_field("source=" + host) + "," + csv_field("target=" + inside) +
         (writable ? "" : ",readonly");
}

void add_mounts(const ContainerSetup& setup, const ContainerRun& run, Arguments& out) {
  if (!run.directory.empty()) {
    add(out,
        {"--mount", mount_value(run.directory, run.directory, true), "--workdir", run.directory});
  }
  for (const auto& folder : setup.read_only) {
    add(out, {"--mount", mount_value(folder, folder, false)});
  }
  for (const auto& mount : setup.spec.mounts) {
    add(out, {"--mount", mount_value(mount.host, mount.inside, mount.writable)});
  }
}

void add_limits(const ContainerSetup& setup, const ContainerRun& run, Arguments& out) {
  if (run.memory_limit_bytes > 0) {
    const std::string bytes = std::to_string(run.memory_limit_bytes) + "b";
    add(out, {"--memory", bytes, "--memory-swap", bytes});  // the sum: no swap
  }
  // docker refuses more than the host has, where there is nothing to limit.
  if (run.cpus < setup.host.cpus) add(out, {"--cpus", std::to_string(run.cpus)});
  add(out, {"--pids-limit", std::to_string(kContainerProcesses)});
}

void add_user(const ContainerSetup& setup, Arguments& out) {
  const ContainerHost& host = setup.host;
  // Without root podman gives the numbers of the host another meaning, unless it is asked not to.
  if (setup.runtime == ContainerRuntime::podman && !host.root && setup.spec.user.empty()) {
    add(out, {"--userns", "keep-id"});
  }
  if (!setup.spec.user.empty()) {
    add(out, {"--user", setup.spec.user});
    return;
  }
  add(out, {"--user", std::to_string(host.uid) + ":" + std::to_string(host.gid)});
  for (const auto group : host.groups) {
    if (group != host.gid) add(out, {"--group-add", std::to_string(group)});
  }
}

// By name alone, since everybody on the host can read command lines: the client has the value.
void add_environment(const ContainerRun& run, ContainerCommand& out) {
  for (const auto& [name, value] : run.environment) {
    if (steers_client(name)) {
      add(out.argv, {"--env", name + "=" + value});
    } else {
      add(out.argv, {"--env", name});
      out.environment[name] = value;
    }
  }
}

ContainerCommand docker_command(const ContainerSetup& setup, const ContainerRun& run) {
  ContainerCommand command;
  command.environment = setup.client;
  Arguments& argv = command.argv;
  argv = {setup.program, "run", "--name", run.name};
  // An image that has gone is the task's error, not a download behind its time limit.
  add(argv, {"--pull", "never", "--init", "--no-healthcheck"});
  add(argv, {"--label", std::string(kWorkerLabel) + "=" + setup.host.worker});
  add(argv, {"--label", "taskpipe.attempt=" + run.attempt});
  add_user(setup, argv);
  add(argv, {"--cap-drop", "ALL", "--security-opt", "no-new-privileges"});
  add(argv, {"--read-only", "--network", setup.spec.network});
  // Also where the image has no such folder. Compilers load from there what they have just made.
  add(argv, {"--tmpfs", "/tmp:rw,exec,mode=1777"});
  add(argv, {"--log-driver", "none"});  // the worker keeps the output
  if (setup.runtime == ContainerRuntime::podman) add(argv, {"--http-proxy=false"});
  add_limits(setup, run, argv);
  add_mounts(setup, run, argv);
  add_environment(run, command);
  argv.insert(argv.end(), setup.spec.arguments.begin(), setup.spec.arguments.end());
  add(argv, {"--entrypoint", run.argv.front(), setup.image});
  argv.insert(argv.end(), run.argv.begin() + 1, run.argv.end());
  return command;
}

ContainerCommand apptainer_command(const ContainerSetup& setup, const ContainerRun& run) {
  ContainerCommand command;
  command.environment = setup.client;
  Arguments& argv = command.argv;
  argv = {setup.program, "exec", "--containall", "--no-home", "--cleanenv"};
  if (setup.spec.network == "none") {
    add(argv, {"--net", "--network", "none"});
  } else if (setup.spec.network != "host") {
    add(argv, {"--net", "--network", setup.spec.network});
  }
  if (!run.directory.empty()) {
    add(argv, {"--bind", run.directory + ":" + run.directory + ":rw", "--pwd", run.directory});
  }
  for (const auto& folder : setup.read_only) {
    add(argv, {"--bind", folder + ":" + folder + ":ro"});
  }
  for (const auto& mount : setup.spec.mounts) {
    add(argv, {"--bind", mount.host + ":" + mount.inside + (mount.writable ? ":rw" : ":ro")});
  }
  for (const auto& [name, value] : run.environment) {
    command.environment["APPTAINERENV_" + name] = value;
  }
  argv.insert(argv.end(), setup.spec.arguments.begin(), setup.spec.arguments.end());
  argv.push_back(setup.image);
  argv.insert(argv.end(), run.argv.begin(), run.argv.end());
  return command;
}

}  // namespace

bool steers_client(std::string_view variable) {
  constexpr std::array<std::string_view, 4> kNames = {"PATH", "HOME", "TMPDIR", "USER"};
  constexpr std::array<std::string_view, 12> kPrefixes = {
      "LD_",      "DOCKER_", "BUILDKIT", "CONTAINER", "PODMAN",    "XDG_",
      "STORAGE_", "GO",      "SSL_",     "SSH_",      "REGISTRY_", "DBUS_"};
  if (std::find(kNames.begin(), kNames.end(), variable) != kNames.end()) return true;
  if (variable.ends_with("_PROXY") || variable.ends_with("_proxy")) return true;
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [variable](std::string_view prefix) { return variable.starts_with(prefix); });
}

ContainerCommand container_command(const ContainerSetup& setup, const ContainerRun& run) {
  return setup.runtime == ContainerRuntime::apptainer ? apptainer_command(setup, run)
                                                      : docker_command(setup, run);
}

bool outlives_its_client(ContainerRuntime runtime) {
  return runtime != ContainerRuntime::apptainer;
}

std::vector<std::string> inspection_command(const ContainerSetup& setup, const std::string& name) {
  return {setup.program, "container", "inspect", "-f", "{{.State.OOMKilled}} {{.State.StartedAt}}",
          name};
}

std::vector<std::string> removal_command(const ContainerSetup& setup, const std::string& name) {
  return {setup.program, "rm", "-f", "-v", name};
}

std::string container_name(const ContainerHost& host, std::string_view what) {
  return "taskpipe-" + host.worker + "-" + std::string(what);
}

}  // namespace taskpipe::worker
