// A tool manifest: one TOML file that says how to find, run and read one program. docs/tools.md is
// the reference for its authors; every key is described there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "common/model/error.hpp"
#include "common/model/time.hpp"
#include "worker/tools/container.hpp"
#include "worker/tools/pattern.hpp"
#include "worker/tools/placeholder.hpp"

namespace taskpipe::worker {

enum class ProgressKind : std::uint8_t { none, lammps, openfoam, regex };

struct VersionProbe {
  std::string fixed;               // used as it is when argv is empty
  std::vector<Template> argv;      // {toolbox} only
  std::optional<Pattern> pattern;  // group 1 (or the match's whole line) is the version
  Millis timeout{0};
};

// Where a metric is read: group 1 of a line that matches, or a column of LAMMPS' thermo table.
struct MetricSource {
  std::string name;
  std::optional<Pattern> pattern;
  std::string column;
};

struct ProgressSource {
  ProgressKind kind = ProgressKind::none;
  std::optional<Pattern> percent;   // one group: 0 to 100
  std::optional<Pattern> fraction;  // two groups: current and total
  std::string end_time_param;       // OpenFOAM: the parameter to use when there is no controlDict
};

struct Manifest {
  std::filesystem::path file;    // absolute
  std::filesystem::path folder;  // of the file: {toolbox}, and where relative paths start

  std::string name;
  std::string description;
  VersionProbe version;
  std::vector<std::string> required_programs;
  std::vector<std::filesystem::path> required_files;

  std::vector<Template> command;
  std::vector<Template> params_as;
  std::vector<Template> launcher;  // put before the command when a task has more than one CPU
  std::vector<std::pair<std::string, Template>> environment;
  std::vector<std::string> inherit;  // variables passed on from the worker's own environment

  std::optional<ContainerSpec> container;  // nothing: the command runs on the node itself

  std::vector<std::filesystem::path> script_folders;
  std::vector<std::string> script_patterns;
  bool inline_scripts = false;
  bool requires_script = false;

  ProgressSource progress;
  std::vector<MetricSource> metrics;
  std::vector<std::string> artifact_globs;

  Millis time_limit{0};      // 0 = none
  Millis time_limit_max{0};  // 0 = none; what a task asks for is cut to it
  Millis grace{0};
  std::uint64_t memory_limit_bytes = 0;  // for tasks that ask for no amount; 0 = none
};

// INVALID with file, line, column and key. Does file I/O; no program is run.
[[nodiscard]] tl::expected<Manifest, Error> read_manifest(const std::filesystem::path& file);

// The same from memory; `file` names the text in errors and is where relative paths start.
[[nodiscard]] tl::expected<Manifest, Error> parse_manifest(std::string_view toml,
                                                           const std::filesystem::path& file);

}  // namespace taskpipe::worker
