// taskpipe-spawner: starts and ends processes for one worker. Started by the worker itself; see
// docs/decisions/0004-execution.md.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "worker/spawner/cgroup_driver.hpp"
#include "worker/spawner/credentials.hpp"
#include "worker/spawner/descriptor.hpp"
#include "worker/spawner/spawner.hpp"

namespace {

using taskpipe::worker::CgroupOptions;
using taskpipe::worker::Credentials;
using taskpipe::worker::Descriptor;
using taskpipe::worker::MemoryControl;

struct Arguments {
  int socket = -1;
  int lifeline = -1;
  CgroupOptions cgroup;
  std::optional<Credentials> run_as;
};

int parse_descriptor(std::string_view option, std::string_view text) {
  int fd = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
  if (error != std::errc{} || end != text.data() + text.size() || fd < 3) {
    throw std::runtime_error(std::string(option) + " needs a descriptor number of 3 or more");
  }
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    throw std::runtime_error(std::string(option) + ": descriptor " + std::string(text) +
                             " is not open; taskpipe-spawner is started by taskpipe-worker");
  }
  return fd;
}

MemoryControl parse_control(std::string_view text) {
  if (text == "auto") return MemoryControl::automatic;
  if (text == "cgroup-v2") return MemoryControl::cgroup_v2;
  if (text == "cgroup-v1") return MemoryControl::cgroup_v1;
  if (text == "rlimit") return MemoryControl::address_space;
  if (text == "none") return MemoryControl::none;
  throw std::runtime_error("--memory-control is one of auto, cgroup-v2, cgroup-v1, rlimit, none");
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view option = argv[i];
    if (i + 1 >= argc) throw std::runtime_error(std::string(option) + " needs a value");
    const std::string_view value = argv[i + 1];
    if (option == "--socket") {
      arguments.socket = parse_descriptor(option, value);
    } else if (option == "--lifeline") {
      arguments.lifeline = parse_descriptor(option, value);
    } else if (option == "--memory-control") {
      arguments.cgroup.control = parse_control(value);
    } else if (option == "--cgroup-parent") {
      arguments.cgroup.parent_directory = value;
    } else if (option == "--run-as") {
      arguments.run_as = taskpipe::worker::parse_credentials(value);
      if (!arguments.run_as) {
        throw std::runtime_error("--run-as needs UID:GID:GROUPS, none of them 0");
      }
    } else {
      throw std::runtime_error("unknown option " + std::string(option));
    }
  }
  if (arguments.socket < 0) throw std::runtime_error("--socket is missing");
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Arguments arguments = parse(argc, argv);
    // Whatever the worker had open without close-on-exec must reach no attempt.
    const std::array<int, 2> keep = {arguments.socket, arguments.lifeline};
    taskpipe::worker::close_all_except(keep);
    ::setsid();  // a terminal's Ctrl-C is the worker's affair; fails harmlessly for a group leader
    if (::chdir("/") != 0) throw std::runtime_error("cannot change to the root directory");
    taskpipe::worker::Spawner spawner(Descriptor(arguments.socket), Descriptor(arguments.lifeline),
                                      taskpipe::worker::choose_cgroup_driver(arguments.cgroup),
                                      arguments.run_as);
    spawner.run();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "taskpipe-spawner: %s\n", error.what());
    return 2;
  }
}
