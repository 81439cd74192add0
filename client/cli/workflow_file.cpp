#include "client/cli/workflow_file.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <utility>

#include "client/cli/json_reader.hpp"
#include "client/cli/toml_reader.hpp"
#include "common/process/suggestion.hpp"
#include "common/process/units.hpp"

namespace taskpipe::cli {
namespace {

using Checked = tl::expected<void, Error>;

tl::unexpected<Error> refused(const std::string& field, const std::string& why) {
  return tl::unexpected(Error{ErrorCode::invalid, field + " " + why, field});
}

// Names the first key that is not one of `known`, and the nearest that is.
Checked check_keys(const ValueMap& map, const std::string& path,
                   const std::vector<std::string>& known) {
  for (const auto& [key, value] : map) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string near = process::nearest_name(key, known);
    return refused(path.empty() ? key : path + "." + key,
                   near.empty() ? "is no field of a workflow; docs/cli.md lists them"
                                : "is no field; did you mean '" + near + "'?");
  }
  return {};
}

// --- Single fields: absent ones leave `target` alone --------------------------------------------

struct Fields {
  const ValueMap& map;
  std::string path;  // "tasks[2]"

  [[nodiscard]] std::string place(std::string_view key) const {
    return path.empty() ? std::string(key) : path + "." + std::string(key);
  }
  [[nodiscard]] const Value* find(std::string_view key) const {
    const auto it = map.find(key);
    return it == map.end() || it->second.is_null() ? nullptr : &it->second;
  }

  template <class T>
  Checked read(std::string_view key, T& target, std::string_view expected) const {
    const Value* value = find(key);
    if (value == nullptr) return {};
    const T* typed = value->as<T>();
    if (typed == nullptr) return refused(place(key), "must be " + std::string(expected));
    target = *typed;
    return {};
  }

  template <class Int>
  Checked read_integer(std::string_view key, Int& target, std::int64_t least) const {
    const Value* value = find(key);
    if (value == nullptr) return {};
    const auto* number = value->as<std::int64_t>();
    constexpr auto kMost = static_cast<std::int64_t>(std::numeric_limits<Int>::max());
    if (number == nullptr || *number < least || *number > kMost) {
      return refused(place(key), "must be a whole number from " + std::to_string(least) + " to " +
                                     std::to_string(kMost));
    }
    target = static_cast<Int>(*number);
    return {};
  }

  // Milliseconds from "30s".
  Checked read_duration(std::string_view key, Millis& target) const {
    const Value* value = find(key);
    if (value == nullptr) return {};
    const auto* text = value->as<std::string>();
    if (text == nullptr) return refused(place(key), "must be a duration, such as \"30s\"");
    const auto parsed = process::parse_duration(*text);
    if (!parsed) return refused(place(key), "is wrong: " + parsed.error().text);
    target = *parsed;
    return {};
  }

  // Bytes, as a number or as "2G".
  Checked read_size(std::string_view key, std::uint64_t& target) const {
    const Value* value = find(key);
    if (value == nullptr) return {};
    if (const auto* text = value->as<std::string>()) {
      const auto parsed = process::parse_size(*text);
      if (!parsed) return refused(place(key), "is wrong: " + parsed.error().text);
      target = *parsed;
      return {};
    }
    const auto* number = value->as<std::int64_t>();
    if (number == nullptr || *number < 0) {
      return refused(place(key), "must be a size, such as \"2G\" or a number of bytes");
    }
    target = static_cast<std::uint64_t>(*number);
    return {};
  }
};

Checked read_labels(const Fields& fields, std::vector<Label>& labels) {
  ValueMap map;
  if (auto done = fields.read("labels", map, "a map of strings"); !done) return done;
  for (const auto& [key, value] : map) {
    const auto* text = value.as<std::string>();
    if (text == nullptr) return refused(fields.place("labels." + key), "must be a string");
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

Checked read_task(const Fields& fields, std::string& name, TaskRequest& task) {
  static const std::vector<std::string> known = {
      "name",         "tool",   "script",    "params",  "after", "priority", "cpus",
      "gpus",         "memory", "resources", "timeout", "grace", "labels",   "wait_for_capacity",
      "inline_script"};
  if (auto done = check_keys(fields.map, fields.path, known); !done) return done;
  if (fields.find("tool") == nullptr) {
    return refused(fields.place("tool"), "is missing: it names the tool that runs the task");
  }
  Millis run_time{0};
  Millis grace{0};
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
      read_labels(fields, task.labels),
      read_resources(fields, task.resources)};
  for (const Checked& step : steps) {
    if (!step) return step;
  }
  if (grace.count() > limits::kMaxGraceMs) return refused(fields.place("grace"), "exceeds 1h");
  task.limits = {static_cast<std::uint64_t>(run_time.count()),
                 static_cast<std::uint32_t>(grace.count())};
  return {};
}

// --- Dependencies -------------------------------------------------------------------------------

using NameIndex = std::map<std::string, std::uint32_t, std::less<>>;

tl::expected<NameIndex, Error> index_names(const std::vector<std::string>& names,
                                           const std::string& path) {
  NameIndex index;
  for (std::uint32_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) continue;
    if (!index.emplace(names[i], i).second) {
      return refused(path + "[" + std::to_string(i) + "].name",
                     "stands twice: '" + names[i] + "' names an earlier task");
    }
  }
  return index;
}

Checked read_after(const Fields& fields, const NameIndex& index, std::size_t total,
                   std::vector<std::uint32_t>& after) {
  ValueList list;
  if (auto done = fields.read("after", list, "a list of names or indices"); !done) return done;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string place = fields.place("after[" + std::to_string(i) + "]");
    if (const auto* name = list[i].as<std::string>()) {
      const auto found = index.find(*name);
      if (found == index.end()) return refused(place, "names no task: '" + *name + "'");
      after.push_back(found->second);
      continue;
    }
    const auto* number = list[i].as<std::int64_t>();
    if (number == nullptr || *number < 0 || *number >= static_cast<std::int64_t>(total)) {
      return refused(
          place, "must be the name of a task or its index, from 0 to " + std::to_string(total - 1));
    }
    after.push_back(static_cast<std::uint32_t>(*number));
  }
  return {};
}

tl::expected<WorkflowFile, Error> read_tasks(const ValueList& tasks, const std::string& path) {
  if (tasks.empty()) return refused(path, "is empty: a workflow needs a task");
  WorkflowFile file;
  file.request.tasks.resize(tasks.size());
  file.names.resize(tasks.size());
  std::vector<Fields> all;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const std::string place = path + "[" + std::to_string(i) + "]";
    const auto* map = tasks[i].as<ValueMap>();
    if (map == nullptr) return refused(place, "must be a map with tool, script and params");
    all.push_back({*map, place});
    if (auto done = read_task(all[i], file.names[i], file.request.tasks[i].task); !done) {
      return tl::unexpected(std::move(done.error()));
    }
  }
  const auto index = index_names(file.names, path);
  if (!index) return tl::unexpected(index.error());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    auto& after = file.request.tasks[i].after;
    if (auto done = read_after(all[i], *index, tasks.size(), after); !done) {
      return tl::unexpected(std::move(done.error()));
    }
  }
  return file;
}

tl::expected<WorkflowFile, Error> read_document(const Value& value) {
  if (const auto* list = value.as<ValueList>()) return read_tasks(*list, "tasks");
  const auto* map = value.as<ValueMap>();
  if (map == nullptr)
    return refused("the workflow", "must be a list of tasks, or a map with tasks");
  if (auto done = check_keys(*map, "", {"name", "on_failure", "tasks"}); !done) {
    return tl::unexpected(std::move(done.error()));
  }
  const Fields fields{*map, ""};
  std::string name;
  std::string on_failure = "run_dependents";
  ValueList tasks;
  const std::vector<Checked> steps = {fields.read("name", name, "a string"),
                                      fields.read("on_failure", on_failure, "a string"),
                                      fields.read("tasks", tasks, "a list")};
  for (const Checked& step : steps) {
    if (!step) return tl::unexpected(step.error());
  }
  if (on_failure != "run_dependents" && on_failure != "cancel_dependents") {
    return refused("on_failure", "must be run_dependents or cancel_dependents");
  }
  auto file = read_tasks(tasks, "tasks");
  if (!file) return file;
  file->request.name = std::move(name);
  if (on_failure == "cancel_dependents") file->request.on_failure = OnFailure::cancel_dependents;
  return file;
}

std::size_t skip_space(std::string_view text, std::size_t from) {
  return std::min(text.find_first_not_of(" \t\r\n", from), text.size());
}

}  // namespace

WorkflowFormat format_of(std::string_view path, std::string_view text) {
  if (path.ends_with(".json")) return WorkflowFormat::json;
  if (path.ends_with(".toml")) return WorkflowFormat::toml;
  const std::size_t first = skip_space(text, 0);
  if (first == text.size() || text[first] == '{') return WorkflowFormat::json;
  if (text[first] != '[') return WorkflowFormat::toml;
  // A list of maps, or an empty one; TOML has "[name]" or "[[tasks]]" there.
  const std::size_t second = skip_space(text, first + 1);
  const bool is_list = second < text.size() && (text[second] == '{' || text[second] == ']');
  return is_list ? WorkflowFormat::json : WorkflowFormat::toml;
}

tl::expected<WorkflowFile, Error> read_workflow(std::string_view text, WorkflowFormat format) {
  if (format == WorkflowFormat::json) {
    const auto value = read_json(text);
    if (!value) return tl::unexpected(value.error().error);
    return read_document(*value);
  }
  const auto document = read_toml(text);
  if (!document) return tl::unexpected(document.error());
  auto file = read_document(document->value);
  if (!file) {
    Error& error = file.error();
    error.text = to_text(document->place_of(error.field)) + ": " + error.text;
  }
  return file;
}

void make_sequential(WorkflowRequest& request) {
  for (std::size_t i = 1; i < request.tasks.size(); ++i) {
    auto& after = request.tasks[i].after;
    const auto previous = static_cast<std::uint32_t>(i - 1);
    if (std::find(after.begin(), after.end(), previous) == after.end()) after.push_back(previous);
  }
}

}  // namespace taskpipe::cli
