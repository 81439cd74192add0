#include "worker/tools/tool_registry.hpp"

#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "common/model/limits.hpp"
#include "worker/tools/manifest.hpp"
#include "worker/tools/text.hpp"

namespace taskpipe::worker {

namespace fs = std::filesystem;

ToolRegistry ToolRegistry::load(const std::vector<fs::path>& folders,
                                const Environment& worker_environment,
                                const Environment& user_environment, const ContainerHost& host) {
  ToolRegistry registry;
  const Environments environments{worker_environment, user_environment, host};
  for (const auto& folder : folders) registry.load_folder(folder, environments);
  return registry;
}

void ToolRegistry::load_folder(const fs::path& folder, const Environments& environments) {
  std::error_code failed;
  std::vector<fs::path> files;
  fs::directory_iterator it(folder, failed);
  for (; !failed && it != fs::end(it); it.increment(failed)) {
    const auto& path = it->path();
    if (path.extension() == ".toml" && !path.filename().native().starts_with('.')) {
      files.push_back(path);
    }
  }
  if (failed) reject(folder, "the folder cannot be read: " + failed.message());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) load_manifest(file, environments);
}

void ToolRegistry::load_manifest(const fs::path& file, const Environments& environments) {
  auto manifest = read_manifest(file);
  if (!manifest) {
    reject(file, std::move(manifest.error().text));
    return;
  }
  if (manifest->container) runtimes_.insert(manifest->container->runtime);
  const std::string name = manifest->name;
  const auto earlier = std::find_if(seen_.begin(), seen_.end(),
                                    [&name](const Seen& seen) { return seen.name == name; });
  if (earlier != seen_.end()) {
    reject(file, "tool '" + name + "' is already defined by " + earlier->file.string());
    return;
  }
  if (tools_.size() == limits::kMaxToolsPerWorker) {
    reject(file, "more than " + std::to_string(limits::kMaxToolsPerWorker) + " tools");
    return;
  }
  auto probed =
      Tool::probe(std::move(*manifest), environments.worker, environments.user, environments.host);
  if (!probed) {
    seen_.push_back(Seen{name, file, probed.error()});
    reject(file, "tool '" + name + "' is not offered: " + probed.error());
    return;
  }
  seen_.push_back(Seen{name, file, {}});
  tools_.push_back(std::move(probed->tool));
  for (auto& remark : probed->remarks) reject(file, std::move(remark));
}

void ToolRegistry::reject(fs::path file, std::string reason) {
  rejections_.push_back(Rejection{std::move(file), std::move(reason)});
}

std::vector<ToolOffer> ToolRegistry::offers() const {
  std::vector<ToolOffer> result;
  result.reserve(tools_.size());
  for (const auto& tool : tools_) result.push_back(tool.offer());
  return result;
}

const Tool* ToolRegistry::find(std::string_view name) const {
  const auto it = std::find_if(tools_.begin(), tools_.end(),
                               [name](const Tool& tool) { return tool.offer().name == name; });
  return it == tools_.end() ? nullptr : &*it;
}

bool ToolRegistry::names_runtime(ContainerRuntime runtime) const {
  return runtimes_.contains(runtime) || runtimes_.contains(ContainerRuntime::automatic);
}

tl::expected<RunPlan, Error> ToolRegistry::plan(const TaskSpec& spec, const ValueMap& params,
                                                const AttemptContext& context) const {
  if (const Tool* tool = find(spec.tool)) return tool->plan(spec, params, context);
  std::string text = "tool '" + spec.tool + "' is not offered by this worker";
  std::vector<std::string> names;
  for (const auto& seen : seen_) {
    if (seen.reason.empty()) names.push_back(seen.name);
    if (seen.name == spec.tool) text += ": " + seen.reason;
  }
  if (const auto nearest = nearest_name(spec.tool, names); !nearest.empty()) {
    text += "; did you mean '" + std::string(nearest) + "'?";
  } else if (!names.empty()) {
    text += "; it offers " + enumerate(names, 20);
  }
  return tl::unexpected(Error{ErrorCode::unsupported, std::move(text), "tool", std::nullopt});
}

Environment environment_of_process() {
  Environment result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    result.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return result;
}

}  // namespace taskpipe::worker
