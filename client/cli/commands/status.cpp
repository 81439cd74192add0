// taskpipe status ID…  ·  taskpipe list
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/commands/commands.hpp"
#include "client/cli/documents.hpp"
#include "client/cli/task_ids.hpp"
#include "client/cli/task_rows.hpp"
#include "common/process/suggestion.hpp"

namespace taskpipe::cli {
namespace {

constexpr std::uint32_t kDefaultListed = 50;
constexpr std::uint32_t kMostListed = 1'000'000;

// "running" as well as RUNNING.
std::optional<TaskState> parse_state(const std::string& text) {
  for (std::uint8_t i = 0; i <= static_cast<std::uint8_t>(kLastTaskState); ++i) {
    const auto state = static_cast<TaskState>(i);
    if (text == name_of(state) || text == status_word(state)) return state;
  }
  return std::nullopt;
}

std::vector<std::string> state_names() {
  std::vector<std::string> names;
  for (std::uint8_t i = 0; i <= static_cast<std::uint8_t>(kLastTaskState); ++i) {
    names.emplace_back(status_word(static_cast<TaskState>(i)));
  }
  return names;
}

std::string state_words() {
  std::string words;
  for (const std::string& name : state_names()) words += (words.empty() ? "" : ", ") + name;
  return words;
}

}  // namespace

ExitCode run_status(Invocation& call) {
  std::string workflow;
  declare_workflow_option(call.options(), workflow);
  if (const auto end = call.parse({0, kAnyNumber})) return *end;
  const auto ids = find_tasks(call, call.arguments(), workflow);
  if (!ids) return ids.error();
  const auto statuses = call.client().status(*ids, call.asking());
  if (!statuses) return call.fail(statuses.error());
  if (call.json()) {
    ValueList unknown;
    for (const TaskId& id : statuses->unknown) unknown.emplace_back(id.to_string());
    call.print(ValueMap{{"tasks", row_documents(statuses->rows)}, {"unknown", std::move(unknown)}});
  } else {
    print_rows(call, statuses->rows);
  }
  if (statuses->unknown.empty()) return ExitCode::success;
  return call.fail(ClientError{CallFailure::refused, no_such_tasks(statuses->unknown), {}});
}

ExitCode run_list(Invocation& call) {
  std::string state;
  std::string workflow;
  QueryFilter filter;
  std::uint32_t limit = kDefaultListed;
  call.options().text("state,s", state, "STATE",
                      "Only tasks in this state: " + state_words() + ".");
  call.options().text("tool", filter.tool, "TOOL", "Only tasks of this tool.");
  declare_workflow_option(call.options(), workflow);
  call.options().integer<std::uint32_t>("limit,n", limit, {1, kMostListed},
                                        "The most to list, newest first.");
  if (const auto end = call.parse({0, 0})) return *end;
  if (!state.empty()) {
    filter.state = parse_state(state);
    if (!filter.state) {
      const std::string near = process::nearest_name(state, state_names());
      return call.usage_error(Error{ErrorCode::invalid,
                                    "--state: '" + state + "' is not one of " + state_words() +
                                        (near.empty() ? "" : "; did you mean '" + near + "'?"),
                                    "state"});
    }
  }
  if (!workflow.empty()) {
    filter.workflow = WorkflowId::parse(workflow);
    if (!filter.workflow) return call.usage_error(no_workflow_id(workflow));
  }
  TaskListing listing = call.client().list(filter, call.asking());
  std::vector<TaskRow> rows;
  const TaskRow* row = listing.next();
  for (; row != nullptr && rows.size() < limit; row = listing.next()) rows.push_back(*row);
  if (listing.error()) return call.fail(*listing.error());
  const bool more = row != nullptr;
  if (call.json()) {
    call.print(ValueMap{{"tasks", row_documents(rows)}, {"more", more}});
    return ExitCode::success;
  }
  print_rows(call, rows);
  if (rows.empty()) call.console().hint("no tasks");
  if (more) call.console().hint("there are more; --limit shows them");
  return ExitCode::success;
}

}  // namespace taskpipe::cli
