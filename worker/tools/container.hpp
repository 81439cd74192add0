// What a manifest's [container] says: the image that the tool's command runs in, and how. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace taskpipe::worker {

enum class ContainerRuntime : std::uint8_t { automatic, docker, podman, apptainer };

// "auto", "docker", "podman", "apptainer".
[[nodiscard]] std::string_view name_of(ContainerRuntime runtime);
[[nodiscard]] std::optional<ContainerRuntime> parse_container_runtime(std::string_view text);

// Whether a worker may fetch the image when it starts. A task never does.
enum class ImagePull : std::uint8_t { never, missing };

// A folder or file of the host that the container sees, beside the attempt's own folder.
struct ContainerMount {
  std::string host;    // absolute, normal
  std::string inside;  // likewise
  bool writable = false;
};

struct ContainerSpec {
  std::string image;
  ContainerRuntime runtime = ContainerRuntime::automatic;
  ImagePull pull = ImagePull::never;
  std::vector<ContainerMount> mounts;
  std::string network = "none";
  std::string user;                    // "UID[:GID]"; empty = the user of the attempt
  std::vector<std::string> arguments;  // for the runtime, after ours, so that they win
};

// Each says in a sentence what is wrong.
[[nodiscard]] tl::expected<ContainerMount, std::string> parse_mount(std::string_view text);
[[nodiscard]] std::optional<std::string> refuse_image(std::string_view image);
[[nodiscard]] std::optional<std::string> refuse_network(std::string_view network);
[[nodiscard]] std::optional<std::string> refuse_user(std::string_view user);
[[nodiscard]] std::optional<std::string> refuse_argument(std::string_view argument);

// One is the other, or lies below it. Both absolute and normal.
[[nodiscard]] bool overlap(std::string_view one, std::string_view other);
// The folder for whose sake no container may see `path`: keys, sockets that make their user root,
// the state of the kernel or of a runtime. Empty when there is none.
[[nodiscard]] std::string_view private_folder_of(std::string_view path);

}  // namespace taskpipe::worker
