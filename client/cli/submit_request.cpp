#include "client/cli/submit_request.hpp"

#include <filesystem>
#include <utility>

#include "client/cli/assignments.hpp"
#include "client/cli/input_argument.hpp"
#include "client/cli/input_file.hpp"
#include "client/cli/json_reader.hpp"
#include "common/model/utf8.hpp"

namespace taskpipe::cli {
namespace {

tl::expected<ValueMap, Error> read_params_file(const std::string& path) {
  auto text = read_input_file(path, "params");
  if (!text) return tl::unexpected(std::move(text.error()));
  auto value = read_json(*text);
  if (!value) {
    Error error = std::move(value.error().error);
    error.text = "--params " + path + ": " + error.text;
    error.field = "params";
    return tl::unexpected(std::move(error));
  }
  if (auto* map = std::get_if<ValueMap>(&value->storage())) return std::move(*map);
  return tl::unexpected(Error{
      ErrorCode::invalid,
      "--params " + path + ": the parameters must be a map, such as {\"steps\": 1000}", "params"});
}

tl::expected<void, Error> attach_script(TaskRequest& request, const std::string& path) {
  std::error_code error;
  const auto size = path == "-" ? 0 : std::filesystem::file_size(path, error);
  if (!error && size > limits::kMaxInlineScriptBytes) {
    // Too large to be part of the task: it goes by its hash.
    if (request.script.empty()) request.script = std::filesystem::path(path).filename().string();
    request.input_files.push_back({path, request.script, true});
    return {};
  }
  auto text = read_input_file(path, "script");
  if (!text) return tl::unexpected(std::move(text.error()));
  if (text->empty()) {
    return tl::unexpected(
        Error{ErrorCode::invalid, "--script " + path + ": the file is empty", "script"});
  }
  request.inline_script = std::move(*text);
  if (request.script.empty() && path != "-") {
    request.script = std::filesystem::path(path).filename().string();
  }
  return {};
}

}  // namespace

void declare(process::OptionTable& table, SubmitOptions& options) {
  declare_params(table, options,
                 "A parameter: JSON where it reads as JSON (64, 0.5, true, [1,2]), else a string.");
  declare_task(table, options);
}

void declare_params(process::OptionTable& table, SubmitOptions& options, std::string help) {
  table.group("Task");
  table.list("param,p", options.params, "KEY=VALUE", std::move(help));
}

void declare_task(process::OptionTable& table, SubmitOptions& options) {
  table.text("params", options.params_file, "FILE",
             "Parameters from a JSON file that holds a map; - reads standard input. --param "
             "overrides single ones.");
  table.text("script,s", options.script_file, "FILE",
             "Send this file along as the script, for tools that take one.");
  table.list("input,i", options.inputs, "FILE[:NAME]",
             "A file that the task finds in its folder, under NAME or its own name; may be "
             "repeated. Sent only if the broker does not have it yet.");
  table.integer<std::int32_t>("priority", options.priority, {}, "Larger runs earlier.");
  table.duration("timeout,t", options.run_time, {},
                 "The longest that the task may run; 0 = the tool's own limit.");
  table.duration("grace", options.grace, {Millis{0}, Millis{limits::kMaxGraceMs}},
                 "Between SIGTERM and SIGKILL when it is stopped; 0 = the usual 5s.");
  table.list("label", options.labels, "KEY=VALUE", "A label of the task.");
  declare_retries(table, options.retry);
  table.group("Resources");
  table.integer<std::uint32_t>("cpus,c", options.cpus, {1, 1U << 20U}, "Processor cores.");
  table.integer<std::uint32_t>("gpus", options.gpus, {0, 1U << 20U}, "Graphics processors.");
  table.size("memory", options.memory_bytes, {}, "Memory, such as 2G.");
  table.list("resource", options.resources, "NAME=AMOUNT",
             "Something that a worker declares, such as license.abaqus=1.");
  table.flag("wait-for-capacity", options.wait_for_capacity,
             "Wait for a worker that could run it, rather than being refused when there is none.");
}

tl::expected<TaskRequest, Error> make_request(const std::string& tool, const std::string& script,
                                              const SubmitOptions& options) {
  TaskRequest request;
  request.tool = tool;
  request.script = script;
  if (!is_utf8(tool) || !is_utf8(script)) {
    const std::string field = is_utf8(tool) ? "script" : "tool";
    return tl::unexpected(
        Error{ErrorCode::invalid, "the name of the " + field + " is not valid UTF-8", field});
  }
  if (options.params_file == "-" && options.script_file == "-") {
    return tl::unexpected(Error{ErrorCode::invalid,
                                "--params and --script cannot both read standard input", "params"});
  }
  auto policy = make_policy(options.retry);
  if (!policy) return tl::unexpected(std::move(policy.error()));
  if (!options.params_file.empty()) {
    auto params = read_params_file(options.params_file);
    if (!params) return tl::unexpected(std::move(params.error()));
    request.params = std::move(*params);
  }
  if (auto done = assign_params(request.params, options.params); !done) {
    return tl::unexpected(std::move(done.error()));
  }
  if (!options.script_file.empty()) {
    if (auto done = attach_script(request, options.script_file); !done) {
      return tl::unexpected(std::move(done.error()));
    }
  }
  for (const std::string& text : options.inputs) {
    auto input = read_input(text);
    if (!input) return tl::unexpected(std::move(input.error()));
    request.input_files.push_back(std::move(*input));
  }
  auto labels = read_labels(options.labels);
  if (!labels) return tl::unexpected(std::move(labels.error()));
  auto named = read_named_resources(options.resources);
  if (!named) return tl::unexpected(std::move(named.error()));
  request.labels = std::move(*labels);
  request.resources = {options.cpus, options.gpus, options.memory_bytes, std::move(*named)};
  request.priority = options.priority;
  request.limits = {static_cast<std::uint64_t>(options.run_time.count()),
                    static_cast<std::uint32_t>(options.grace.count()),
                    static_cast<std::uint64_t>(options.retry.queue_time.count()),
                    static_cast<std::uint64_t>(options.retry.no_progress.count())};
  request.retry = *policy;
  request.wait_for_capacity = options.wait_for_capacity;
  return request;
}

}  // namespace taskpipe::cli
