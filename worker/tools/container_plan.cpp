#include "worker/tools/container_plan.hpp"

#include <initializer_list>

namespace taskpipe::worker {
namespace {

using Arguments = std::vector<std::string>;

// What the clients of docker and podman obey, beside the loader's: between blanks.
constexpr std::string_view kClientNames =
    " PATH HOME TMPDIR USER GLIBC_TUNABLES GODEBUG GOGC GOMAXPROCS GOMEMLIMIT GOTRACEBACK"
    " HTTP_PROXY HTTPS_PROXY FTP_PROXY ALL_PROXY NO_PROXY"
    " http_proxy https_proxy ftp_proxy all_proxy no_proxy SSL_CERT_FILE SSL_CERT_DIR SSH_AUTH_SOCK"
    " DBUS_SESSION_BUS_ADDRESS DBUS_SYSTEM_BUS_ADDRESS"
    " NOTIFY_SOCKET LISTEN_FDS LISTEN_FDNAMES LISTEN_PID"
    " XDG_RUNTIME_DIR XDG_CONFIG_HOME XDG_CONFIG_DIRS XDG_DATA_HOME XDG_DATA_DIRS XDG_CACHE_HOME"
    " XDG_STATE_HOME"
    " DOCKER_HOST DOCKER_CONFIG DOCKER_AUTH_CONFIG DOCKER_CONTEXT DOCKER_TLS DOCKER_TLS_VERIFY"
    " DOCKER_CERT_PATH DOCKER_API_VERSION DOCKER_DEFAULT_PLATFORM DOCKER_CONTENT_TRUST"
    " DOCKER_CONTENT_TRUST_SERVER DOCKER_CUSTOM_HEADERS DOCKER_HIDE_LEGACY_COMMANDS"
    " DOCKER_CLI_HINTS DOCKER_BUILDKIT BUILDKIT_HOST BUILDKIT_PROGRESS"
    " CONTAINER_HOST CONTAINER_CONNECTION CONTAINER_SSHKEY CONTAINER_PASSPHRASE"
    " CONTAINERS_CONF CONTAINERS_CONF_OVERRIDE CONTAINERS_STORAGE_CONF CONTAINERS_REGISTRIES_CONF"
    " CONTAINERS_HELPER_BINARY_DIR CONTAINERS_SHORT_NAME_ALIASING STORAGE_DRIVER STORAGE_OPTS"
    " REGISTRY_AUTH_FILE BUILDAH_ISOLATION PODMAN_USERNS PODMAN_CONNECTIONS_CONF"
    " _CONTAINERS_USERNS_CONFIGURED _CONTAINERS_ROOTLESS_UID _CONTAINERS_ROOTLESS_GID ";

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
  if (run.memory_limit_bytes > 0 && setup.limits.memory) {
    const std::string bytes = std::to_string(run.memory_limit_bytes) + "b";
    add(out, {"--memory", bytes, "--memory-swap", bytes});  // the sum: no swap
  }
  // docker refuses more than the host has, where there is nothing to limit.
  if (run.cpus < setup.host.cpus && setup.limits.cpus)
    add(out, {"--cpus", std::to_string(run.cpus)});
  if (setup.limits.processes) {
    add(out, {"--pids-limit", std::to_string(kContainerProcesses)});
  }
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

// HOME is the runtime's to set, not a variable's; the folder is mounted there, to write.
void add_home(const ContainerRun& run, Arguments& out) {
  if (run.directory.empty()) return add(out, {"--no-home"});
  const auto home = run.environment.find("HOME");
  if (home == run.environment.end() || home->second == run.directory) {
    add(out, {"--home", run.directory});
  } else {
    add(out, {"--home", run.directory + ":" + home->second});
    add(out, {"--bind", run.directory + ":" + run.directory + ":rw"});
  }
  add(out, {"--pwd", run.directory});
}

ContainerCommand apptainer_command(const ContainerSetup& setup, const ContainerRun& run) {
  ContainerCommand command;
  command.environment = setup.client;
  Arguments& argv = command.argv;
  // Its remarks would be the program's stderr; its errors still are. A client of root keeps root's
  // capabilities unless it is told.
  argv = {setup.program, "--silent", "exec", "--containall", "--no-privs", "--cleanenv"};
  if (setup.spec.network == "none") {
    add(argv, {"--net", "--network", "none"});
  } else if (setup.spec.network != "host") {
    add(argv, {"--net", "--network", setup.spec.network});
  }
  add_home(run, argv);
  for (const auto& folder : setup.read_only) {
    add(argv, {"--bind", folder + ":" + folder + ":ro"});
  }
  for (const auto& mount : setup.spec.mounts) {
    add(argv, {"--bind", mount.host + ":" + mount.inside + (mount.writable ? ":rw" : ":ro")});
  }
  for (const auto& [name, value] : run.environment) {
    if (name != "HOME") command.environment["APPTAINERENV_" + name] = value;
  }
  argv.insert(argv.end(), setup.spec.arguments.begin(), setup.spec.arguments.end());
  argv.push_back(setup.image);
  argv.insert(argv.end(), run.argv.begin(), run.argv.end());
  return command;
}

}  // namespace

bool steers_client(std::string_view variable) {
  // The loader's, all of them. Of the other families too much is not the clients': GOOGLE_API_KEY.
  if (variable.starts_with("LD_")) return true;
  return kClientNames.find(" " + std::string(variable) + " ") != std::string_view::npos;
}

ContainerCommand container_command(const ContainerSetup& setup, const ContainerRun& run) {
  return setup.runtime == ContainerRuntime::apptainer ? apptainer_command(setup, run)
                                                      : docker_command(setup, run);
}

std::string unlimited(const RuntimeLimits& limits) {
  std::string names;
  const auto add_name = [&names](bool bounded, std::string_view name) {
    if (!bounded) names += (names.empty() ? "" : ", ") + std::string(name);
  };
  add_name(limits.memory, "memory");
  add_name(limits.cpus, "CPUs");
  add_name(limits.processes, "processes");
  return names;
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
