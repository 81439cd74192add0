#include "client/cli/workflow_task.hpp"

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "client/cli/input_argument.hpp"
#include "client/cli/retry_policy.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::cli {
namespace {

Checked read_labels(const Fields& fields, std::vector<Label>& labels) {
  ValueMap map;
  if (auto done = fields.read("labels", map, "a map of strings"); !done) return done;
  for (const auto& [key, value] : map) {
    const auto* text = value.as<std::string>();
    if (text == nullptr) return refused_field(fields.place("labels." + key), "must be a string");
    labels.push_back({key, *text});
  }
  return {};
}

Checked read_resources(const Fields& fields, Resources& resources) {
  if (auto done = fields.read_integer("cpus", resources.cpus, 1); !done) return done;
  if (auto done = fields.read_integer("gpus", resources.gpus, 0); !done) return done;
  if (auto done = fields.read_size("memory", resources.memory_bytes); !done) return done;
  ValueMap map;
  if (auto done = fields.read("resources", map, "a map of amounts"); !done) return done;
  const Fields named{map, fields.place("resources")};
  for (const auto& entry : map) {
    std::uint64_t amount = 0;
    if (auto done = named.read_size(entry.first, amount); !done) return done;
    resources.named.push_back({entry.first, amount});
  }
  return {};
}

// retry = {max_attempts = 3, on = ["exit"], backoff = "1s", max_backoff = "1m", worker_losses = 2}
Checked read_retry(const Fields& fields, RetryPolicy& policy) {
  ValueMap map;
  if (auto done = fields.read("retry", map, "a map such as {max_attempts = 3}"); !done) return done;
  const Fields retry{map, fields.place("retry")};
  static const std::vector<std::string> known = {"max_attempts", "on", "backoff", "max_backoff",
                                                 "worker_losses"};
  if (auto done = check_keys(map, retry.path, known); !done) return done;
  ValueList on;
  Millis backoff{policy.backoff_ms};
  Millis longest{0};
  std::uint32_t losses = 0;
  const std::vector<Checked> steps = {
      retry.read_integer("max_attempts", policy.max_attempts, 1),
      retry.read("on", on, "a list of classes of failure, such as [\"exit\"]"),
      retry.read_duration("backoff", backoff), retry.read_duration("max_backoff", longest),
      retry.read_integer("worker_losses", losses, 0)};
  for (const Checked& step : steps) {
    if (!step) return step;
  }
  std::vector<std::string> names;
  for (const Value& name : on) {
    const auto* text = name.as<std::string>();
    if (text == nullptr) return refused_field(retry.place("on"), "must hold strings only");
    names.push_back(*text);
  }
  if (retry.find("on") != nullptr) {
    auto failures = read_failures(names, retry.place("on"));
    if (!failures) return tl::unexpected(std::move(failures.error()));
    policy.failures = *failures;
  }
  if (retry.find("max_backoff") == nullptr) longest = longest_backoff(backoff);
  if (longest > Millis(limits::kMaxBackoffMs)) {
    const char* longer = retry.find("max_backoff") == nullptr ? "backoff" : "max_backoff";
    return refused_field(retry.place(longer), "exceeds 1d");
  }
  if (backoff > longest) {
    return refused_field(retry.place("backoff"), "exceeds max_backoff, the longest wait");
  }
  policy.backoff_ms = static_cast<std::uint32_t>(backoff.count());
  policy.max_backoff_ms = static_cast<std::uint32_t>(longest.count());
  if (retry.find("worker_losses") != nullptr) policy.max_worker_losses = losses;
  return {};
}

// "FILE" or "FILE:NAME" each, as --input takes them.
Checked read_inputs(const Fields& fields, std::vector<InputFile>& inputs) {
  ValueList texts;
  if (auto done = fields.read("inputs", texts, "a list of strings"); !done) return done;
  for (const Value& value : texts) {
    const auto* text = value.as<std::string>();
    if (text == nullptr) return refused_field(fields.place("inputs"), "must be a list of strings");
    auto input = read_input(*text);
    if (!input)
      return refused_field(fields.place("inputs"), "has '" + *text + "': write FILE or FILE:NAME");
    inputs.push_back(std::move(*input));
  }
  return {};
}

}  // namespace

Checked read_task(const Fields& fields, std::string& name, TaskRequest& task) {
  static const std::vector<std::string> known = {"name",          "tool",
                                                 "script",        "params",
                                                 "after",         "priority",
                                                 "cpus",          "gpus",
                                                 "memory",        "resources",
                                                 "timeout",       "grace",
                                                 "labels",        "wait_for_capacity",
                                                 "inline_script", "retry",
                                                 "queue_time",    "no_progress",
                                                 "inputs"};
  if (auto done = check_keys(fields.map, fields.path, known); !done) return done;
  if (fields.find("tool") == nullptr) {
    return refused_field(fields.place("tool"), "is missing: it names the tool that runs the task");
  }
  Millis run_time{0};
  Millis grace{0};
  Millis queue_time{0};
  Millis no_progress{0};
  const std::vector<Checked> steps = {
      fields.read("name", name, "a string"),
      fields.read("tool", task.tool, "a string"),
      fields.read("script", task.script, "a string"),
      fields.read("params", task.params, "a map"),
      fields.read("inline_script", task.inline_script, "a string: the script itself"),
      fields.read("wait_for_capacity", task.wait_for_capacity, "true or false"),
      fields.read_integer("priority", task.priority, std::numeric_limits<std::int32_t>::min()),
      fields.read_duration("timeout", run_time),
      fields.read_duration("grace", grace),
      fields.read_duration("queue_time", queue_time),
      fields.read_duration("no_progress", no_progress),
      read_retry(fields, task.retry),
      read_labels(fields, task.labels),
      read_inputs(fields, task.input_files),
      read_resources(fields, task.resources)};
  for (const Checked& step : steps) {
    if (!step) return step;
  }
  if (grace.count() > limits::kMaxGraceMs)
    return refused_field(fields.place("grace"), "exceeds 1h");
  task.limits = {static_cast<std::uint64_t>(run_time.count()),
                 static_cast<std::uint32_t>(grace.count()),
                 static_cast<std::uint64_t>(queue_time.count()),
                 static_cast<std::uint64_t>(no_progress.count())};
  return {};
}

}  // namespace taskpipe::cli
