// From a command to the command line of the container runtime that runs it. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "worker/tools/container.hpp"
#include "worker/tools/program.hpp"

namespace taskpipe::worker {

// Processes and threads of one container: room for MPI with threads, none for a fork bomb.
inline constexpr std::uint32_t kContainerProcesses = 4096;
// On every container, so that a later life of the worker finds what an earlier one left.
inline constexpr std::string_view kWorkerLabel = "taskpipe.worker";

// What containers have to know of the worker.
struct ContainerHost {
  std::string worker;     // its uuid, as text
  std::uint32_t uid = 0;  // as whom attempts run
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
  bool root = false;                         // the worker is, and so are its clients of runtimes
  std::uint32_t cpus = 0;                    // of the host; 0 = unknown
  std::vector<std::string> private_folders;  // that no tool may mount, canonical: the work folder
};

// What the runtime can bound on this node. Without root podman depends on the control groups that
// its user was given: with none it says so on each attempt's stderr and goes on, with some it
// refuses.
struct RuntimeLimits {
  bool memory = true;
  bool cpus = true;
  bool processes = true;
};

// A tool's container on this node: what the manifest says, and what was found here.
struct ContainerSetup {
  ContainerSpec spec;
  ContainerRuntime runtime = ContainerRuntime::docker;  // not automatic
  std::string program;                                  // of the runtime, absolute
  std::string image;                                    // as the runtime is to be given it
  Environment client;                                   // of the runtime's client
  RuntimeLimits limits;
  ContainerHost host;
  std::vector<std::string> read_only;  // folders of the host, seen under the same path
};

// One run of it.
struct ContainerRun {
  std::string name;
  std::string attempt;    // a label, for people
  std::string directory;  // writable, the working directory; empty = none
  std::uint64_t memory_limit_bytes = 0;
  std::uint32_t cpus = 1;
  Environment environment;        // of the program
  std::vector<std::string> argv;  // looked up in the image
};

struct ContainerCommand {
  std::vector<std::string> argv;
  Environment environment;  // of the client
};

// In the foreground: output and exit code of the client are the program's.
[[nodiscard]] ContainerCommand container_command(const ContainerSetup& setup,
                                                 const ContainerRun& run);

// For docker and podman; apptainer's containers are processes below the attempt's own.
[[nodiscard]] bool outlives_its_client(ContainerRuntime runtime);
// Prints "<killed for memory: true or false> <time of its start, of the year 1 if it never was>".
[[nodiscard]] std::vector<std::string> inspection_command(const ContainerSetup& setup,
                                                          const std::string& name);
// Kills it if it runs.
[[nodiscard]] std::vector<std::string> removal_command(const ContainerSetup& setup,
                                                       const std::string& name);

// "taskpipe-<worker>-<what>": of one life of one worker's attempt, and of nothing else.
[[nodiscard]] std::string container_name(const ContainerHost& host, std::string_view what);

// What it cannot bound, such as "memory, CPUs"; empty = nothing.
[[nodiscard]] std::string unlimited(const RuntimeLimits& limits);

// A variable that the runtime's client itself would obey: passed on by value, which the client's
// command line shows.
[[nodiscard]] bool steers_client(std::string_view variable);

}  // namespace taskpipe::worker
