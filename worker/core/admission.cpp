#include "worker/core/admission.hpp"

#include "common/model/limits.hpp"
#include "worker/core/capacity.hpp"

namespace taskpipe::worker {

Admission::Admission(const WorkerConfig& config) : uuid_(config.uuid), total_(config.resources) {
  for (const OfferedTool& offered : config.tools) {
    Tool tool;
    tool.kind = offered.kind;
    tool.inline_scripts = offered.offer.inline_scripts;
    tool.requires_script = offered.offer.requires_script;
    tool.scripts_complete = offered.offer.scripts.size() < limits::kMaxScriptsPerTool;
    for (const ScriptOffer& script : offered.offer.scripts) tool.scripts.insert(script.name);
    if (!tools_.emplace(offered.offer.name, std::move(tool)).second) continue;
    if (!tool_names_.empty()) tool_names_ += ", ";
    tool_names_ += offered.offer.name;
  }
}

Admission::Verdict Admission::judge(const TaskSpec& spec) const {
  Verdict verdict;
  const auto found = tools_.find(spec.tool);
  if (found == tools_.end()) {
    verdict.refusal = Error{ErrorCode::invalid,
                            "this worker has no tool '" + spec.tool + "'; it offers " +
                                (tool_names_.empty() ? "none" : tool_names_),
                            "tool"};
    return verdict;
  }
  verdict.kind = found->second.kind;
  verdict.refusal = check_script(found->second, spec);
  if (verdict.refusal || bounded_by_pool(verdict.kind, spec)) return verdict;
  const std::string shortage(first_shortage(required_resources(spec), total_));
  if (!shortage.empty()) {
    verdict.refusal =
        Error{ErrorCode::unsatisfiable,
              "this worker never has as much " + shortage + " as the task asks for; ask for less",
              shortage};
  }
  return verdict;
}

std::optional<Error> Admission::check_placements(const std::vector<Placement>& placements) const {
  if (placements.size() > 1) {
    return Error{ErrorCode::unsupported,
                 "this worker runs attempts that occupy one node only; ask for the resources of a "
                 "single node",
                 "placements"};
  }
  if (!placements.empty() && placements.front().worker != uuid_) {
    return Error{
        ErrorCode::invalid,
        "the attempt is placed on another worker, " + placements.front().worker.to_string(),
        "placements"};
  }
  return std::nullopt;
}

std::optional<Error> Admission::check_script(const Tool& tool, const TaskSpec& spec) const {
  // Handlers have no scripts; callers that always name one (as the Celery interface does) are let
  // through, and the handler may look at the name.
  if (tool.kind == AttemptKind::handler && !tool.requires_script) return std::nullopt;
  if (brings_script(spec)) {
    if (tool.inline_scripts) return std::nullopt;
    return Error{ErrorCode::invalid,
                 "tool '" + spec.tool +
                     "' takes no scripts that travel with the task; name one of the worker's",
                 "inline_script"};
  }
  if (spec.script.empty()) {
    if (!tool.requires_script) return std::nullopt;
    return Error{ErrorCode::invalid, "tool '" + spec.tool + "' needs a script; name one", "script"};
  }
  if (!tool.scripts_complete || tool.scripts.contains(spec.script)) return std::nullopt;
  return Error{ErrorCode::invalid,
               "this worker has no script '" + spec.script + "' for tool '" + spec.tool +
                   "'; `taskpipe tools` lists what there is",
               "script"};
}

}  // namespace taskpipe::worker
