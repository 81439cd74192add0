#include "worker/tools/container_probe.hpp"

#include <pwd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "common/model/limits.hpp"
#include "worker/tools/text.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;

constexpr Millis kClientTimeout{limits::kDefaultProbeMs};  // of what needs no image
constexpr Millis kPullTimeout{limits::kMaxProbeMs};
constexpr std::size_t kShortIdChars = 12;
constexpr std::size_t kMaxQuoteBytes = 300;

// The order of runtime = "auto".
constexpr std::array<ContainerRuntime, 3> kRuntimeOrder = {
    ContainerRuntime::docker, ContainerRuntime::podman, ContainerRuntime::apptainer};

// What says where the client finds its daemon, its images, their registries and its settings.
constexpr std::array<std::string_view, 16> kClientVariables = {"PATH",
                                                               "HOME",
                                                               "USER",
                                                               "DOCKER_HOST",
                                                               "DOCKER_CONTEXT",
                                                               "DOCKER_CONFIG",
                                                               "DOCKER_TLS_VERIFY",
                                                               "DOCKER_CERT_PATH",
                                                               "CONTAINER_HOST",
                                                               "CONTAINERS_CONF",
                                                               "CONTAINERS_STORAGE_CONF",
                                                               "CONTAINERS_REGISTRIES_CONF",
                                                               "REGISTRY_AUTH_FILE",
                                                               "XDG_RUNTIME_DIR",
                                                               "DBUS_SESSION_BUS_ADDRESS",
                                                               "APPTAINER_CACHEDIR"};
// Podman fetches images itself, through the site's proxy. Runs have no use for it, and what a
// proxy's address may hold is a secret.
constexpr std::array<std::string_view, 6> kProxyVariables = {
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"};

template <std::size_t N>
void take(const Environment& worker, const std::array<std::string_view, N>& names,
          Environment& client) {
  for (const auto name : names) {
    const auto it = worker.find(name);
    if (it != worker.end() && !it->second.empty()) client[it->first] = it->second;
  }
}

Environment client_environment(const Environment& worker) {
  Environment client{{"PATH", std::string(kSystemPath)}};
  take(worker, kClientVariables, client);
  return client;
}

// The last line that says something: clients end with what went wrong.
std::string last_words(std::string_view output) {
  std::string_view last;
  while (!output.empty()) {
    const std::string_view line = output.substr(0, output.find('\n'));
    output.remove_prefix(std::min(line.size() + 1, output.size()));
    if (!trimmed(line).empty()) last = trimmed(line);
  }
  return printable(last.substr(0, kMaxQuoteBytes));
}

tl::expected<void, std::string> find_runtime(ContainerSetup& setup) {
  const std::string& path = setup.client.at("PATH");
  for (const ContainerRuntime runtime : kRuntimeOrder) {
    if (setup.spec.runtime != ContainerRuntime::automatic && setup.spec.runtime != runtime) {
      continue;
    }
    if (const auto program = find_program(name_of(runtime), path)) {
      setup.runtime = runtime;
      setup.program = program->string();
      return {};
    }
  }
  if (setup.spec.runtime == ContainerRuntime::automatic) {
    return tl::unexpected(std::string(
        "no container runtime is installed: docker, podman and apptainer were looked for in PATH"));
  }
  return tl::unexpected("container runtime '" + std::string(name_of(setup.spec.runtime)) +
                        "' is not installed (looked in PATH)");
}

// A link may lead where its name does not say, and elsewhere tomorrow: what was looked at is what
// attempts mount.
tl::expected<void, std::string> resolve_mounts(ContainerSetup& setup) {
  for (auto& mount : setup.spec.mounts) {
    std::error_code failed;
    std::string real = fs::canonical(mount.host, failed).string();
    if (failed) {
      return tl::unexpected("container.mounts: '" + mount.host + "': " + failed.message());
    }
    if (real.find_first_of(",:\"\n") != std::string::npos) {
      return tl::unexpected("container.mounts: '" + mount.host +
                            "' leads to a path with a comma, colon, quote or line break, which "
                            "runtimes cannot be given");
    }
    std::string hidden(private_folder_of(real));
    for (const auto& folder : setup.host.private_folders) {
      if (overlap(real, folder)) hidden = folder;
    }
    if (!hidden.empty()) {
      return tl::unexpected("container.mounts: '" + mount.host + "' would show " + hidden +
                            " to the tool; mount the folder with the data alone");
    }
    mount.host = std::move(real);
  }
  return {};
}

// The id of the image, or the client's words.
tl::expected<std::string, std::string> image_id(const ContainerSetup& setup) {
  const auto answer = ask_program({setup.program, "image", "inspect", "-f", "{{.Id}}", setup.image},
                                  setup.client, kClientTimeout);
  if (!answer) return tl::unexpected(answer.error());
  std::string words = last_words(answer->output);
  if (answer->exit_code != 0) return tl::unexpected(std::move(words));
  const auto colon = words.find(':');
  return words.substr(colon == std::string::npos ? 0 : colon + 1, kShortIdChars);
}

tl::expected<std::string, std::string> find_image(const ContainerSetup& setup,
                                                  const Environment& worker) {
  auto id = image_id(setup);
  if (id) return id;
  const std::string runtime(name_of(setup.runtime));
  const std::string pull = "'" + runtime + " pull " + setup.image + "'";
  if (setup.spec.pull == ImagePull::never) {
    return tl::unexpected("image '" + setup.image + "' cannot be used by " + runtime + " (" +
                          id.error() + "); fetch it with " + pull +
                          ", build it, or set container.pull = \"missing\"");
  }
  Environment client = setup.client;
  take(worker, kProxyVariables, client);
  const auto answer = ask_program({setup.program, "pull", "-q", setup.image}, client, kPullTimeout);
  if (!answer) return tl::unexpected(pull + ": " + answer.error());
  if (answer->exit_code != 0) {
    return tl::unexpected("image '" + setup.image + "' cannot be fetched: " + pull + ": " +
                          last_words(answer->output));
  }
  return image_id(setup);
}

// Asked of podman alone: root's has all control groups, another user's those that were delegated.
tl::expected<RuntimeLimits, std::string> find_limits(const ContainerSetup& setup) {
  RuntimeLimits limits;
  if (setup.runtime != ContainerRuntime::podman || setup.host.root) return limits;
  const auto answer = ask_program({setup.program, "info", "-f", "{{.Host.CgroupControllers}}"},
                                  setup.client, kClientTimeout);
  if (!answer) return tl::unexpected(answer.error());
  std::string words = last_words(answer->output);  // "[cpu memory pids]"
  if (answer->exit_code != 0) return tl::unexpected("podman info: " + words);
  std::replace_if(
      words.begin(), words.end(), [](char c) { return c == '[' || c == ']'; }, ' ');
  const auto has = [&words](std::string_view controller) {
    return (" " + words + " ").find(" " + std::string(controller) + " ") != std::string::npos;
  };
  return RuntimeLimits{has("memory"), has("cpu"), has("pids")};
}

// Apptainer's images are files (or unpacked folders): what a task runs is never downloaded.
tl::expected<void, std::string> find_image_file(const Manifest& manifest, ContainerSetup& setup) {
  setup.image = (manifest.folder / setup.spec.image).lexically_normal().string();
  std::error_code failed;
  if (!fs::exists(setup.image, failed)) {
    return tl::unexpected("image file '" + setup.image +
                          "' is missing; make it with 'apptainer build " + setup.image +
                          " docker://" + setup.spec.image + "'");
  }
  if (!setup.spec.user.empty()) {
    return tl::unexpected(std::string(
        "container.user has no effect: apptainer runs as the user of the attempt; leave it out"));
  }
  if (::getpwuid(setup.host.uid) == nullptr) {
    return tl::unexpected("apptainer runs as the user of the attempt, and " +
                          std::to_string(setup.host.uid) + " has no account on this node");
  }
  return {};
}

// What the command reads beside the attempt's folder, under the paths that it is given.
std::vector<std::string> folders_to_read(const Manifest& manifest) {
  std::vector<std::string> folders;
  const auto take = [&folders](const fs::path& folder) {
    std::error_code failed;
    const fs::path real = fs::canonical(folder, failed);
    if (!failed) folders.push_back(real.string());
  };
  for (const auto& folder : manifest.script_folders) take(folder);
  const auto uses_toolbox = [](const Template& part) { return part.uses(Template::Kind::toolbox); };
  bool toolbox = false;
  for (const auto* parts : {&manifest.command, &manifest.launcher, &manifest.version.argv}) {
    for (const auto& part : *parts) toolbox = toolbox || uses_toolbox(part);
  }
  for (const auto& [name, value] : manifest.environment) toolbox = toolbox || uses_toolbox(value);
  if (toolbox) folders.push_back(manifest.folder.string());  // {toolbox} is not resolved either
  return folders;
}

}  // namespace

tl::expected<PreparedContainer, std::string> prepare_container(const Manifest& manifest,
                                                               const Environment& worker,
                                                               const ContainerHost& host) {
  PreparedContainer prepared;
  ContainerSetup& setup = prepared.setup;
  setup.spec = *manifest.container;
  setup.image = setup.spec.image;
  setup.client = client_environment(worker);
  setup.host = host;
  setup.read_only = folders_to_read(manifest);
  if (auto found = find_runtime(setup); !found) return tl::unexpected(std::move(found.error()));
  if (auto fine = resolve_mounts(setup); !fine) return tl::unexpected(std::move(fine.error()));
  if (setup.runtime == ContainerRuntime::apptainer) {
    if (auto found = find_image_file(manifest, setup); !found) {
      return tl::unexpected(std::move(found.error()));
    }
    return prepared;
  }
  auto id = find_image(setup, worker);
  if (!id) return tl::unexpected(std::move(id.error()));
  prepared.image_id = std::move(*id);
  const auto limits = find_limits(setup);
  if (!limits) return tl::unexpected(limits.error());
  setup.limits = *limits;
  return prepared;
}

tl::expected<ProgramAnswer, std::string> ask_in_container(const ContainerSetup& setup,
                                                          const std::string& tool,
                                                          std::vector<std::string> argv,
                                                          const Environment& environment,
                                                          Millis timeout) {
  ContainerRun run;
  run.name = container_name(setup.host, "version-" + tool);
  run.attempt = "version";
  run.environment = environment;
  run.argv = std::move(argv);
  const ContainerCommand command = container_command(setup, run);
  const bool remains = outlives_its_client(setup.runtime);
  const auto clear = [&] {
    if (remains) {
      (void)ask_program(removal_command(setup, run.name), setup.client, kClientTimeout);
    }
  };
  // Where attempts' clients run as another user, so does this one: not with root's rights.
  std::optional<Credentials> user;
  if (const ContainerHost& host = setup.host; !remains && host.root && host.uid != 0) {
    user = Credentials{host.uid, host.gid, host.groups};
  }
  clear();  // of a worker that died while it asked
  auto answer = ask_program(command.argv, command.environment, timeout, user ? &*user : nullptr);
  clear();
  return answer;
}

std::vector<RuntimeClient> find_runtimes(const Environment& worker) {
  std::vector<RuntimeClient> clients;
  const Environment environment = client_environment(worker);
  for (const ContainerRuntime runtime : kRuntimeOrder) {
    if (!outlives_its_client(runtime)) continue;
    const auto program = find_program(name_of(runtime), environment.at("PATH"));
    if (program) clients.push_back({runtime, program->string(), environment});
  }
  return clients;
}

ContainerSweep sweep_containers(const RuntimeClient& client, const std::string& worker) {
  ContainerSweep sweep;
  const auto found = ask_program({client.program, "ps", "-a", "-q", "--filter",
                                  "label=" + std::string(kWorkerLabel) + "=" + worker},
                                 client.environment, kClientTimeout);
  if (!found || found->exit_code != 0) {
    sweep.error = found ? last_words(found->output) : found.error();
    return sweep;
  }
  std::vector<std::string> removal = {client.program, "rm", "-f", "-v"};
  const std::size_t fixed = removal.size();
  std::string_view rest = found->output;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::string_view id = trimmed(line);
    // Anything else on the output is a remark of the client.
    if (id.size() == kShortIdChars && id.find_first_not_of("0123456789abcdef") == id.npos) {
      removal.emplace_back(id);
    }
  }
  sweep.found = removal.size() - fixed;
  if (sweep.found == 0) return sweep;
  const auto removed = ask_program(removal, client.environment, kClientTimeout);
  if (!removed || removed->exit_code != 0) {
    sweep.error = removed ? last_words(removed->output) : removed.error();
    return sweep;
  }
  sweep.removed = sweep.found;
  return sweep;
}

}  // namespace taskpipe::worker
