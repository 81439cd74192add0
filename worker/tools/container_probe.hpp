// Looks whether a container can be had on this node, and clears away what earlier lives left. Runs
// the runtime's client, with a bound for each call; blocks meanwhile.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "worker/tools/container_plan.hpp"
#include "worker/tools/manifest.hpp"

namespace taskpipe::worker {

struct PreparedContainer {
  ContainerSetup setup;
  std::string image_id;  // short; may be empty
};

// The runtime is there and answers, the image is there (or is fetched, if the manifest says so),
// mounts exist and show nothing private. The error says in a sentence what is missing. `worker` is
// the worker's own environment.
[[nodiscard]] tl::expected<PreparedContainer, std::string> prepare_container(
    const Manifest& manifest, const Environment& worker, const ContainerHost& host);

// Runs a command in the container without an attempt, and leaves nothing of it.
[[nodiscard]] tl::expected<ProgramAnswer, std::string> ask_in_container(
    const ContainerSetup& setup, const std::string& tool, std::vector<std::string> argv,
    const Environment& environment, Millis timeout);

// A runtime whose containers outlive their clients.
struct RuntimeClient {
  ContainerRuntime runtime = ContainerRuntime::docker;
  std::string program;  // absolute
  Environment environment;
};
// Those on the worker's PATH, whether or not a tool uses them.
[[nodiscard]] std::vector<RuntimeClient> find_runtimes(const Environment& worker);

struct ContainerSweep {
  std::size_t found = 0;
  std::size_t removed = 0;
  std::string error;  // a sentence; empty = none
};
// Removes each container with the label of this worker (its uuid). Only before it starts any.
[[nodiscard]] ContainerSweep sweep_containers(const RuntimeClient& client,
                                              const std::string& worker);

}  // namespace taskpipe::worker
