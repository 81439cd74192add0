// A tool that this node can run: a manifest whose programs were found and asked for their version.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "common/model/error.hpp"
#include "common/model/messages.hpp"
#include "common/model/task.hpp"
#include "common/model/value.hpp"
#include "common/process/beneath.hpp"
#include "worker/exec/executor.hpp"
#include "worker/tools/container_plan.hpp"
#include "worker/tools/manifest.hpp"
#include "worker/tools/program.hpp"
#include "worker/tools/script_folders.hpp"

namespace taskpipe::worker {

// What the worker knows of an attempt, beyond what the task says.
struct AttemptContext {
  // Absolute path of the attempt's directory, which need not exist yet; it becomes {dir}, TMPDIR,
  // and the place of inline scripts. May be empty: paths are then relative to the working
  // directory, which the executor sets to the attempt's directory, and TMPDIR is not set.
  std::string directory;
  // Added last, replacing what the manifest says: TASKPIPE_TASK_ID, TASKPIPE_ATTEMPT.
  std::vector<std::pair<std::string, std::string>> environment;
  // Where the text of a script lies that comes as an input, until the attempt has its directory.
  std::string script_source{};
  // Names the attempt for the whole cluster: "<task>-<epoch>-<attempt>".
  std::string attempt{};
  // As whom the attempt runs, when that is not the worker's user.
  process::FileOwner owner{};
};

class Tool {
 public:
  struct Probed;
  // Looks for the required programs and files, runs the version probe and hashes the scripts.
  // `worker_environment` is the worker's own: PATH, HOME and the variables that the manifest
  // inherits are taken from it. The error says in a sentence why the tool cannot be offered.
  // `user_environment` goes before it for attempts, not for a probe that runs with the worker's
  // rights: it must load nothing from another user's home. Blocks for as long as the probe takes,
  // at most its timeout. A tool with a container needs its runtime and image (container_probe.hpp),
  // and is asked for its version in there.
  [[nodiscard]] static tl::expected<Probed, std::string> probe(
      Manifest manifest, const Environment& worker_environment,
      const Environment& user_environment = {}, const ContainerHost& host = {});

  [[nodiscard]] const Manifest& manifest() const { return manifest_; }
  [[nodiscard]] const ToolOffer& offer() const { return offer_; }
  // Null when it runs on the node itself.
  [[nodiscard]] const ContainerSetup* container() const {
    return container_ ? &*container_ : nullptr;
  }

  // Everything the executor needs to run one attempt; see docs/tools.md for what a program finds.
  // INVALID naming the field ("script", "params.<name>") when the task does not suit the tool.
  // Any thread. Cost: a few system calls, and reading the script when its length is wanted for
  // progress.
  [[nodiscard]] tl::expected<RunPlan, Error> plan(const TaskSpec& spec, const ValueMap& params,
                                                  const AttemptContext& context) const;

 private:
  Tool() = default;

  struct PlannedScript {
    std::string path;  // as the program sees it; empty without a script
    std::string text;  // only when the progress reader wants it
  };
  [[nodiscard]] tl::expected<PlannedScript, Error> plan_script(const TaskSpec& spec,
                                                               const AttemptContext& context,
                                                               RunPlan& plan) const;
  [[nodiscard]] tl::expected<Environment, Error> plan_environment(
      const ValueMap& params, const Bindings& bindings, const AttemptContext& context) const;
  [[nodiscard]] tl::expected<std::vector<std::string>, Error> plan_command(
      const Bindings& bindings) const;
  void plan_limits(const TaskSpec& spec, RunPlan& plan) const;
  // The client's command line in place of the tool's.
  void plan_container(const TaskSpec& spec, const AttemptContext& context,
                      std::vector<std::string> argv, Environment environment, RunPlan& plan) const;
  // What every plan has, however it runs.
  [[nodiscard]] RunPlan finish_plan(const ValueMap& params, const std::string& script_text,
                                    const AttemptContext& context, RunPlan plan) const;
  // The environment of what runs as the attempt's user: the command's, or the client's of a
  // container. Null when that client runs as the worker does.
  [[nodiscard]] Environment* environment_of_user();

  Manifest manifest_;
  ToolOffer offer_;
  ScriptFolders scripts_;
  Environment base_;  // what every attempt starts from
  std::optional<ContainerSetup> container_;
};

struct Tool::Probed {
  Tool tool;
  std::vector<std::string> remarks;  // scripts and folders that were passed over
};

}  // namespace taskpipe::worker
