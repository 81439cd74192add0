#include "client/python/native/requests.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string_view>

#include "client/python/native/errors.hpp"
#include "client/python/native/values.hpp"

namespace taskpipe::python {
namespace nb = nanobind;
namespace {

using Setter = void (*)(TaskRequest&, nb::handle);

void set_named(TaskRequest& request, nb::handle value) {
  for (const auto& [name, amount] : nb::cast<nb::dict>(value)) {
    request.resources.named.push_back(
        {nb::cast<std::string>(name), nb::cast<std::uint64_t>(amount)});
  }
}

void set_labels(TaskRequest& request, nb::handle value) {
  for (const auto& [key, text] : nb::cast<nb::dict>(value)) {
    request.labels.push_back({nb::cast<std::string>(key), nb::cast<std::string>(text)});
  }
}

void set_inputs(TaskRequest& request, nb::handle value) {
  for (const auto& pair : nb::cast<nb::list>(value)) {
    const auto file = nb::cast<nb::tuple>(pair);
    request.input_files.push_back(
        {nb::cast<std::string>(file[0]), nb::cast<std::string>(file[1]), false});
  }
}

// The Python side has checked the names.
void set_retried_failures(TaskRequest& request, nb::handle value) {
  request.retry.failures = 0;
  for (const auto& name : nb::cast<nb::list>(value)) {
    const auto wanted = nb::cast<std::string>(name);
    for (std::uint8_t i = 0; i <= static_cast<std::uint8_t>(kLastFailureClass); ++i) {
      const auto failure = static_cast<FailureClass>(i);
      if (name_of(failure) == wanted) request.retry.failures |= failure_bit(failure);
    }
  }
}

const std::map<std::string, Setter, std::less<>>& setters() {
  static const std::map<std::string, Setter, std::less<>> table{
      {"priority", [](TaskRequest& r, nb::handle v) { r.priority = nb::cast<std::int32_t>(v); }},
      {"cpus", [](TaskRequest& r, nb::handle v) { r.resources.cpus = nb::cast<std::uint32_t>(v); }},
      {"gpus", [](TaskRequest& r, nb::handle v) { r.resources.gpus = nb::cast<std::uint32_t>(v); }},
      {"memory_bytes",
       [](TaskRequest& r, nb::handle v) { r.resources.memory_bytes = nb::cast<std::uint64_t>(v); }},
      {"named", set_named},
      {"run_time_ms",
       [](TaskRequest& r, nb::handle v) { r.limits.run_time_ms = nb::cast<std::uint64_t>(v); }},
      {"grace_ms",
       [](TaskRequest& r, nb::handle v) { r.limits.grace_ms = nb::cast<std::uint32_t>(v); }},
      {"queue_time_ms",
       [](TaskRequest& r, nb::handle v) { r.limits.queue_time_ms = nb::cast<std::uint64_t>(v); }},
      {"no_progress_ms",
       [](TaskRequest& r, nb::handle v) { r.limits.no_progress_ms = nb::cast<std::uint64_t>(v); }},
      {"max_attempts",
       [](TaskRequest& r, nb::handle v) { r.retry.max_attempts = nb::cast<std::uint32_t>(v); }},
      {"retry_on", set_retried_failures},
      {"backoff_ms",
       [](TaskRequest& r, nb::handle v) { r.retry.backoff_ms = nb::cast<std::uint32_t>(v); }},
      {"max_backoff_ms",
       [](TaskRequest& r, nb::handle v) { r.retry.max_backoff_ms = nb::cast<std::uint32_t>(v); }},
      {"max_worker_losses",
       [](TaskRequest& r, nb::handle v) {
         r.retry.max_worker_losses = nb::cast<std::uint32_t>(v);
       }},
      {"labels", set_labels},
      {"inline_script",
       [](TaskRequest& r, nb::handle v) { r.inline_script = nb::cast<std::string>(v); }},
      {"inputs", set_inputs},
      {"wait_for_capacity",
       [](TaskRequest& r, nb::handle v) { r.wait_for_capacity = nb::cast<bool>(v); }},
      {"task_id",
       [](TaskRequest& r, nb::handle v) { r.id = to_task_id(nb::cast<std::string>(v)); }},
  };
  return table;
}

}  // namespace

TaskRequest to_request(const std::string& tool, const std::string& script, nb::handle params,
                       const nb::dict& options) {
  TaskRequest request;
  request.tool = tool;
  request.script = script;
  if (!params.is_none()) request.params = to_value_map(params, "params");
  for (const auto& [name, value] : options) {
    const auto name_text = nb::cast<std::string>(name);
    const auto found = setters().find(name_text);
    if (found == setters().end()) {
      throw nb::type_error(("unexpected keyword argument '" + name_text + "'").c_str());
    }
    found->second(request, value);
  }
  return request;
}

TaskId to_task_id(const std::string& text) {
  const auto id = TaskId::parse(text);
  if (!id) raise_invalid("task_id", "task_id '" + text + "' is no id: ids are 32 hex digits");
  return *id;
}

WorkflowId to_workflow_id(const std::string& text) {
  const auto id = WorkflowId::parse(text);
  if (!id) {
    raise_invalid("workflow_id", "workflow_id '" + text + "' is no id: ids are 32 hex digits");
  }
  return *id;
}

std::vector<TaskId> to_task_ids(const std::vector<std::string>& texts) {
  std::vector<TaskId> ids;
  ids.reserve(texts.size());
  for (const auto& text : texts) ids.push_back(to_task_id(text));
  return ids;
}

}  // namespace taskpipe::python
