// What an operator can tell a worker: command line, environment, configuration file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/limits.hpp"
#include "common/model/resources.hpp"
#include "common/model/task.hpp"
#include "common/model/time.hpp"
#include "common/process/logging.hpp"
#include "common/process/options.hpp"
#include "common/security/join_file.hpp"
#include "worker/shell/run_as.hpp"

namespace taskpipe::worker {

struct WorkerOptions {
  std::string broker;  // empty until `parse`: then the join file's, or that of this host
  std::optional<security::Join> join;
  std::string name;  // empty until `parse`: then the host's
  std::filesystem::path work_dir;

  std::vector<std::filesystem::path> tool_folders;
  bool builtin_handlers = true;
  std::uint32_t handler_threads = 0;
  std::filesystem::path spawner;
  std::string memory_control = "auto";
  std::string cgroup_parent;
  std::optional<RunAs> run_as;  // tools run as this user; nothing = as the worker's

  Resources resources;
  std::uint32_t slots = 0;
  std::vector<Label> labels;

  Millis drain_timeout{60'000};
  std::string on_broker_lost = "finish";
  Millis broker_wait{0};
  Millis keep_attempts{std::int64_t{7} * 24 * 3600 * 1000};
  std::uint64_t keep_bytes = 20ULL << 30U;

  Millis upload_patience{limits::kUploadPatienceMs};
  std::uint64_t input_cache_bytes = limits::kInputCacheBytes;
  std::string shared_dir;  // absolute; empty = there is none

  process::LogOptions log;
};

struct ParsedWorkerOptions {
  WorkerOptions options;
  std::optional<std::string> print;  // --help or --version: print this and exit with 0
  std::string config_file;           // the one that was read; empty = none
};

// Defaults that depend on the node are filled in. INVALID naming the option and the remedy.
[[nodiscard]] tl::expected<ParsedWorkerOptions, Error> parse_worker_options(
    const process::OptionSources& sources);

}  // namespace taskpipe::worker
