#include "worker/tools/container.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::worker {
namespace {

constexpr std::array<std::pair<ContainerRuntime, std::string_view>, 4> kRuntimes = {{
    {ContainerRuntime::automatic, "auto"},
    {ContainerRuntime::docker, "docker"},
    {ContainerRuntime::podman, "podman"},
    {ContainerRuntime::apptainer, "apptainer"},
}};

// /run holds the sockets of runtimes, /dev the disks: devices are given by `arguments`.
constexpr std::array<std::string_view, 12> kPrivateFolders = {"/etc/taskpipe",
                                                              "/var/lib/taskpipe",
                                                              "/var/lib/taskpipe-broker",
                                                              "/etc/ssh",
                                                              "/etc/shadow",
                                                              "/root",
                                                              "/run",
                                                              "/var/run",
                                                              "/proc",
                                                              "/sys",
                                                              "/dev",
                                                              "/var/lib/docker"};

// What would take the container out of the worker's hands: its name, its end, its output.
constexpr std::array<std::string_view, 13> kRefusedArguments = {
    "-d", "--detach", "--name", "--rm", "--restart",     "--cidfile", "--entrypoint",
    "-t", "--tty",    "-i",     "-it",  "--interactive", "--pull"};

bool is_digits(std::string_view text) {
  return !text.empty() && text.size() <= 10 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Of a reference, a file or a network: nothing that a runtime could take for something else.
bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= limits::kMaxPathBytes && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c != 0x7f; });
}

std::optional<std::string> normal_path(std::string_view text) {
  const std::filesystem::path path(text);
  if (!path.is_absolute() || text.size() > limits::kMaxPathBytes) return std::nullopt;
  for (const auto& part : path) {
    if (part == "..") return std::nullopt;
  }
  std::string normal = path.lexically_normal().string();
  if (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

bool lies_in(std::string_view path, std::string_view folder) {
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace

std::string_view name_of(ContainerRuntime runtime) {
  for (const auto& [known, name] : kRuntimes) {
    if (known == runtime) return name;
  }
  return "unknown";
}

std::optional<ContainerRuntime> parse_container_runtime(std::string_view text) {
  for (const auto& [runtime, name] : kRuntimes) {
    if (name == text) return runtime;
  }
  return std::nullopt;
}

bool overlap(std::string_view one, std::string_view other) {
  return lies_in(one, other) || lies_in(other, one);
}

std::string_view private_folder_of(std::string_view path) {
  for (const std::string_view folder : kPrivateFolders) {
    if (overlap(path, folder)) return folder;
  }
  return {};
}

tl::expected<ContainerMount, std::string> parse_mount(std::string_view text) {
  const auto refuse = [text](std::string_view why) {
    return tl::unexpected("'" + std::string(text) + "' " + std::string(why));
  };
  constexpr std::string_view kForm = "is no mount: write \"HOST:CONTAINER\", with :rw to write";
  if (text.find_first_of(",\"\n") != std::string_view::npos) {
    return refuse("holds a comma, quote or line break, which runtimes cannot be given");
  }
  const auto first = text.find(':');
  if (first == std::string_view::npos) return refuse(kForm);
  std::string_view inside = text.substr(first + 1);
  ContainerMount mount;
  if (const auto second = inside.find(':'); second != std::string_view::npos) {
    const std::string_view mode = inside.substr(second + 1);
    if (mode != "ro" && mode != "rw") return refuse(kForm);
    mount.writable = mode == "rw";
    inside = inside.substr(0, second);
  }
  auto host = normal_path(text.substr(0, first));
  auto target = normal_path(inside);
  if (!host || !target) return refuse("needs absolute paths without '..' on both sides");
  if (*target == "/") return refuse("would hide the image: give a folder below / in the container");
  if (const auto folder = private_folder_of(*host); !folder.empty()) {
    return refuse("would show " + std::string(folder) +
                  " to the tool; mount the folder with the data alone");
  }
  mount.host = std::move(*host);
  mount.inside = std::move(*target);
  return mount;
}

std::optional<std::string> refuse_image(std::string_view image) {
  if (is_word(image)) return std::nullopt;
  return "'" + std::string(image) +
         "' names no image: write a reference such as \"registry/name:tag\", or, for apptainer, a "
         "file";
}

std::optional<std::string> refuse_network(std::string_view network) {
  if (is_word(network)) return std::nullopt;
  return "'" + std::string(network) + "' is no network: write none, host, bridge or a name";
}

std::optional<std::string> refuse_user(std::string_view user) {
  const auto colon = user.find(':');
  const bool group_fits = colon == std::string_view::npos || is_digits(user.substr(colon + 1));
  if (is_digits(user.substr(0, colon)) && group_fits) return std::nullopt;
  return "'" + std::string(user) +
         "' is no user: write numbers, \"UID\" or \"UID:GID\", since the image has names of its "
         "own";
}

std::optional<std::string> refuse_argument(std::string_view argument) {
  if (argument.empty() || argument.find('\0') != std::string_view::npos) {
    return "holds an empty argument, or a zero byte";
  }
  const std::string_view name = argument.substr(0, argument.find('='));
  if (std::find(kRefusedArguments.begin(), kRefusedArguments.end(), name) ==
      kRefusedArguments.end()) {
    return std::nullopt;
  }
  return "'" + std::string(name) +
         "' belongs to the worker, which names, watches and removes the "
         "container; leave it out";
}

}  // namespace taskpipe::worker
