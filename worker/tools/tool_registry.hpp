// The tools of a worker, read from folders of manifests when it starts.
//
//   auto registry = ToolRegistry::load({"/etc/taskpipe/tools", "worker/toolbox"}, environment);
//   hello.tools = registry.offers();
//   auto plan = registry.plan(*spec, params, {directory, {{"TASKPIPE_TASK_ID", id}}});
//
// Immutable once loaded: every method may be called from any thread.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "common/model/error.hpp"
#include "common/model/messages.hpp"
#include "common/model/task.hpp"
#include "common/model/value.hpp"
#include "worker/tools/program.hpp"
#include "worker/tools/tool.hpp"

namespace taskpipe::worker {

class ToolRegistry {
 public:
  // A manifest, folder or script that is not offered, for the log.
  struct Rejection {
    std::filesystem::path file;  // the manifest or folder
    std::string reason;          // a sentence
  };

  // Reads every *.toml of the folders, in order of their names, and probes each tool in turn. A
  // name that is defined twice belongs to the earlier folder, so a site's own folder goes first; a
  // later definition is a rejection, also when the earlier one cannot be offered. Never throws for
  // what it finds. Blocks while the probes run. The environments and
  // `host` are those of Tool::probe.
  [[nodiscard]] static ToolRegistry load(const std::vector<std::filesystem::path>& folders,
                                         const Environment& worker_environment,
                                         const Environment& user_environment = {},
                                         const ContainerHost& host = {});

  [[nodiscard]] const std::vector<Tool>& tools() const { return tools_; }
  [[nodiscard]] std::vector<ToolOffer> offers() const;
  [[nodiscard]] const std::vector<Rejection>& rejections() const { return rejections_; }
  [[nodiscard]] const Tool* find(std::string_view name) const;
  // Whether a manifest names it, or leaves the choice, offered or not.
  [[nodiscard]] bool names_runtime(ContainerRuntime runtime) const;

  // See Tool::plan. UNSUPPORTED naming "tool" when it is not offered here, with the reason if there
  // is a manifest for it.
  [[nodiscard]] tl::expected<RunPlan, Error> plan(const TaskSpec& spec, const ValueMap& params,
                                                  const AttemptContext& context) const;

 private:
  ToolRegistry() = default;
  struct Environments {
    const Environment& worker;
    const Environment& user;
    const ContainerHost& host;
  };
  void load_folder(const std::filesystem::path& folder, const Environments& environments);
  void load_manifest(const std::filesystem::path& file, const Environments& environments);
  void reject(std::filesystem::path file, std::string reason);

  struct Seen {
    std::string name;
    std::filesystem::path file;
    std::string reason;  // why it is not offered; empty = it is
  };

  std::vector<Tool> tools_;
  std::vector<Seen> seen_;
  std::vector<Rejection> rejections_;
  std::set<ContainerRuntime> runtimes_;  // as manifests name them
};

// This process's environment, for `load`. Read it in main, before there are threads.
[[nodiscard]] Environment environment_of_process();

}  // namespace taskpipe::worker
