#include "client/cli/workflow_file.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "client/cli/json_reader.hpp"
#include "client/cli/toml_reader.hpp"
#include "client/cli/workflow_fields.hpp"
#include "client/cli/workflow_task.hpp"

namespace taskpipe::cli {
namespace {

using NameIndex = std::map<std::string, std::uint32_t, std::less<>>;

tl::expected<NameIndex, Error> index_names(const std::vector<std::string>& names,
                                           const std::string& path) {
  NameIndex index;
  for (std::uint32_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) continue;
    if (!index.emplace(names[i], i).second) {
      return refused_field(path + "[" + std::to_string(i) + "].name",
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
      if (found == index.end()) return refused_field(place, "names no task: '" + *name + "'");
      after.push_back(found->second);
      continue;
    }
    const auto* number = list[i].as<std::int64_t>();
    if (number == nullptr || *number < 0 || *number >= static_cast<std::int64_t>(total)) {
      return refused_field(
          place, "must be the name of a task or its index, from 0 to " + std::to_string(total - 1));
    }
    after.push_back(static_cast<std::uint32_t>(*number));
  }
  return {};
}

tl::expected<WorkflowFile, Error> read_tasks(const ValueList& tasks, const std::string& path) {
  if (tasks.empty()) return refused_field(path, "is empty: a workflow needs a task");
  WorkflowFile file;
  file.request.tasks.resize(tasks.size());
  file.names.resize(tasks.size());
  std::vector<Fields> all;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const std::string place = path + "[" + std::to_string(i) + "]";
    const auto* map = tasks[i].as<ValueMap>();
    if (map == nullptr) return refused_field(place, "must be a map with tool, script and params");
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
    return refused_field("the workflow", "must be a list of tasks, or a map with tasks");
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
    return refused_field("on_failure", "must be run_dependents or cancel_dependents");
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
