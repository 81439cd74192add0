// Tool::plan: from a task to what the executor runs.
#include <algorithm>
#include <array>
#include <cstddef>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "common/model/limits.hpp"
#include "worker/tools/progress.hpp"
#include "worker/tools/tool.hpp"

namespace taskpipe::worker {
namespace {

// Ten years: longer ones are as good as none.
constexpr std::uint64_t kLongestRunMs = 3650ULL * 24 * 3600 * 1000;

constexpr std::string_view kParamsFile = "params.json";
// Names that the worker itself uses in an attempt's directory.
constexpr std::array<std::string_view, 3> kReservedNames = {kParamsFile, "stdout.log",
                                                            "stderr.log"};

Error invalid(std::string field, const std::string& why) {
  return Error{ErrorCode::invalid, field + " " + why, std::move(field)};
}

// SIM_MESH_SIZE for mesh-size.
std::string variable_name(std::string_view param) {
  std::string name = "SIM_";
  for (const char c : param) {
    const bool lower = c >= 'a' && c <= 'z';
    const bool kept = lower || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += lower ? static_cast<char>(c - 'a' + 'A') : kept ? c : '_';
  }
  return name;
}

std::optional<Error> check_params(const ValueMap& params) {
  for (const auto& [name, value] : params) {
    const std::string field = "params." + name;
    if (name.empty()) return invalid("params", "has an empty key; name every parameter");
    if (auto error = check_value(value, field)) return error;
    const auto* text = value.as<std::string>();
    if (text != nullptr && text->find('\0') != std::string::npos) {
      return invalid(field, "contains a zero byte, which no program can be given");
    }
  }
  return std::nullopt;
}

// Each parameter as a variable; the larger ones are in params.json alone.
tl::expected<Environment, Error> param_variables(const ValueMap& params) {
  Environment variables;
  std::map<std::string, std::string, std::less<>> owner;
  std::size_t total = 0;
  for (const auto& [name, value] : params) {
    const std::string field = "params." + name;
    std::string variable = variable_name(name);
    const auto [other, fresh] = owner.emplace(variable, name);
    if (!fresh) {
      return tl::unexpected(invalid(field, "and params." + other->second + " are both passed as " +
                                               variable + "; rename one of them"));
    }
    std::string text = to_text(value);
    if (text.size() > limits::kMaxParamVariableBytes) continue;
    total += variable.size() + text.size() + 2;
    if (total > limits::kMaxParamEnvironmentBytes) {
      return tl::unexpected(invalid("params",
                                    "are more than 1 MiB as environment variables; "
                                    "gather them in one list or map"));
    }
    variables.emplace(std::move(variable), std::move(text));
  }
  return variables;
}

std::string read_script_text(const std::string& path) {
  std::string text(limits::kMaxAnalysedScriptBytes, '\0');
  std::ifstream in(path, std::ios::binary);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, in.gcount())));
  return text;
}

std::optional<Error> check_inline_name(const std::string& name) {
  const bool plain = !name.empty() && name.find('/') == std::string::npos &&
                     name.find('\0') == std::string::npos && name.front() != '.' &&
                     name.front() != '-';
  if (!plain) {
    return invalid("script", "'" + name + "' cannot name an inline script; use a plain file name");
  }
  if (std::find(kReservedNames.begin(), kReservedNames.end(), name) != kReservedNames.end()) {
    return invalid("script", "'" + name + "' is reserved; choose another name");
  }
  return std::nullopt;
}

}  // namespace

tl::expected<Tool::PlannedScript, Error> Tool::plan_script(const TaskSpec& spec,
                                                           const AttemptContext& context,
                                                           RunPlan& plan) const {
  PlannedScript script;
  const bool wants_text = manifest_.progress.kind == ProgressKind::lammps;
  if (brings_script(spec)) {
    if (!manifest_.inline_scripts) {
      return tl::unexpected(invalid("inline_script", "is not accepted by tool '" + manifest_.name +
                                                         "'; name one of its own scripts"));
    }
    if (auto error = check_inline_name(spec.script)) return tl::unexpected(std::move(*error));
    script.path = (context.directory.empty() ? "." : context.directory) + "/" + spec.script;
    if (spec.inline_script.empty()) {
      if (wants_text) script.text = read_script_text(context.script_source);
      return script;
    }
    plan.files.push_back(RunPlan::File{spec.script, spec.inline_script, true});
    if (wants_text) {
      script.text = spec.inline_script.text().substr(0, limits::kMaxAnalysedScriptBytes);
    }
    return script;
  }
  if (spec.script.empty()) {
    if (!manifest_.requires_script) return script;
    return tl::unexpected(
        invalid("script", "is missing; tool '" + manifest_.name + "' runs scripts"));
  }
  auto path = scripts_.resolve(spec.script);
  if (!path) return tl::unexpected(std::move(path.error()));
  script.path = path->string();
  if (wants_text) script.text = read_script_text(script.path);
  return script;
}

tl::expected<Environment, Error> Tool::plan_environment(const ValueMap& params,
                                                        const Bindings& bindings,
                                                        const AttemptContext& context) const {
  Environment environment = base_;
  if (!context.directory.empty()) {
    environment["TMPDIR"] = context.directory;
    environment.emplace("HOME", context.directory);  // when the worker has none
  }
  environment["TASKPIPE_CPUS"] = std::to_string(bindings.cpus);
  for (const auto& [name, value] : manifest_.environment) {
    auto text = value.expand(bindings);
    if (!text) return tl::unexpected(std::move(text.error()));
    environment[name] = std::move(*text);
  }
  auto variables = param_variables(params);
  if (!variables) return tl::unexpected(std::move(variables.error()));
  for (auto& [name, value] : *variables) environment[name] = std::move(value);
  for (const auto& [name, value] : context.environment) environment[name] = value;
  return environment;
}

tl::expected<std::vector<std::string>, Error> Tool::plan_command(const Bindings& bindings) const {
  auto argv = expand_arguments(manifest_.command, manifest_.params_as, bindings);
  if (!argv || bindings.cpus <= 1 || manifest_.launcher.empty()) return argv;
  auto launched = expand_arguments(manifest_.launcher, {}, bindings);
  if (!launched) return launched;
  launched->insert(launched->end(), std::make_move_iterator(argv->begin()),
                   std::make_move_iterator(argv->end()));
  return launched;
}

void Tool::plan_limits(const TaskSpec& spec, RunPlan& plan) const {
  // Compared as unsigned: a task may ask for more milliseconds than Millis can hold. Deadlines are
  // counted in nanoseconds, which hold 292 years.
  const auto hard = static_cast<std::uint64_t>(manifest_.time_limit_max.count());
  std::uint64_t wanted = spec.limits.run_time_ms;
  if (wanted == 0) wanted = static_cast<std::uint64_t>(manifest_.time_limit.count());
  if (hard > 0 && (wanted == 0 || wanted > hard)) wanted = hard;
  plan.time_limit = Millis(std::min(wanted, kLongestRunMs));
  plan.silence_limit = Millis(std::min(spec.limits.no_progress_ms, kLongestRunMs));
  plan.grace = spec.limits.grace_ms > 0 ? Millis(spec.limits.grace_ms) : manifest_.grace;
  plan.memory_limit_bytes =
      spec.resources.memory_bytes > 0 ? spec.resources.memory_bytes : manifest_.memory_limit_bytes;
}

void Tool::plan_container(const TaskSpec& spec, const AttemptContext& context,
                          std::vector<std::string> argv, Environment environment,
                          RunPlan& plan) const {
  const ContainerSetup& setup = *container_;
  ContainerRun run;
  run.name = container_name(setup.host, context.attempt);
  run.attempt = context.attempt;
  run.directory = context.directory;
  run.memory_limit_bytes = plan.memory_limit_bytes;
  run.cpus = std::max<std::uint32_t>(1, spec.resources.cpus);
  run.environment = std::move(environment);
  run.argv = std::move(argv);
  if (!setup.limits.memory) plan.memory_limit_bytes = 0;  // no end of it is for memory
  ContainerCommand command = container_command(setup, run);
  plan.argv = std::move(command.argv);
  plan.environment.assign(std::make_move_iterator(command.environment.begin()),
                          std::make_move_iterator(command.environment.end()));
  RunPlan::Container container;
  container.runtime = name_of(setup.runtime);
  if (outlives_its_client(setup.runtime)) {
    container.name = run.name;
    container.inspection = inspection_command(setup, run.name);
    container.removal = removal_command(setup, run.name);
  }
  plan.container = std::move(container);
}

tl::expected<RunPlan, Error> Tool::plan(const TaskSpec& spec, const ValueMap& params,
                                        const AttemptContext& context) const {
  if (auto error = check_params(params)) return tl::unexpected(std::move(*error));
  RunPlan plan;
  auto script = plan_script(spec, context, plan);
  if (!script) return tl::unexpected(std::move(script.error()));

  Bindings bindings;
  const std::string toolbox = manifest_.folder.string();
  bindings.script = script->path;
  bindings.directory = context.directory.empty() ? "." : std::string_view(context.directory);
  bindings.toolbox = toolbox;
  bindings.cpus = std::max<std::uint32_t>(1, spec.resources.cpus);
  bindings.params = &params;

  auto environment = plan_environment(params, bindings, context);
  if (!environment) return tl::unexpected(std::move(environment.error()));
  auto argv = plan_command(bindings);
  if (!argv) return tl::unexpected(std::move(argv.error()));
  plan_limits(spec, plan);
  if (container_) {
    plan_container(spec, context, std::move(*argv), std::move(*environment), plan);
    return finish_plan(params, script->text, context, std::move(plan));
  }
  // Looked up in the PATH that the program will have, which the manifest may have set. A script
  // that is the program itself may not be there yet.
  if (argv->front() != script->path) {
    const auto program = find_program(argv->front(), environment->at("PATH"));
    if (!program) {
      return tl::unexpected(Error{ErrorCode::unsupported,
                                  "program '" + argv->front() + "' of tool '" + manifest_.name +
                                      "' is no longer installed on this node",
                                  "tool", std::nullopt});
    }
    argv->front() = program->string();
  }
  plan.argv = std::move(*argv);
  plan.environment.assign(std::make_move_iterator(environment->begin()),
                          std::make_move_iterator(environment->end()));
  return finish_plan(params, script->text, context, std::move(plan));
}

RunPlan Tool::finish_plan(const ValueMap& params, const std::string& script_text,
                          const AttemptContext& context, RunPlan plan) const {
  plan.files.push_back(
      RunPlan::File{std::string(kParamsFile), Payload(to_json_text(Value(params)) + "\n"), false});
  plan.artifact_globs = manifest_.artifact_globs;
  plan.parser = make_output_parser(manifest_, ReaderContext{script_text, params, context.owner});
  return plan;
}

}  // namespace taskpipe::worker
