#include "client/cli/task_ids.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace taskpipe::cli {
namespace {

constexpr std::size_t kMostIdsInText = 8;

bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

tl::expected<TaskId, ExitCode> expand(Invocation& call, const std::string& prefix) {
  TaskListing listing = call.client().list({}, call.asking());
  std::vector<TaskId> found;
  for (std::size_t i = 0; i < limits::kListPageRows; ++i) {
    const TaskRow* row = listing.next();
    if (row == nullptr) break;
    if (row->id.to_string().starts_with(prefix)) found.push_back(row->id);
  }
  if (found.size() == 1) return found.front();
  if (listing.error()) return tl::unexpected(call.fail(*listing.error()));
  if (found.empty()) {
    return tl::unexpected(
        call.fail(ClientError{CallFailure::refused,
                              Error{ErrorCode::unknown_task,
                                    "none of the newest " + std::to_string(limits::kListPageRows) +
                                        " tasks has an id that begins with '" + prefix + "'",
                                    "task_id"},
                              {}}));
  }
  return tl::unexpected(
      call.usage_error(Error{ErrorCode::invalid,
                             "'" + prefix + "' is ambiguous: " + std::to_string(found.size()) +
                                 " tasks begin with it, among them " + found.front().to_string(),
                             "task_id"}));
}

tl::expected<std::vector<TaskId>, ExitCode> tasks_of_workflow(Invocation& call,
                                                              const std::string& text) {
  const auto workflow = WorkflowId::parse(text);
  if (!workflow) return tl::unexpected(call.usage_error(no_workflow_id(text)));
  QueryFilter filter;
  filter.workflow = *workflow;
  TaskListing listing = call.client().list(filter, call.asking());
  std::vector<TaskId> ids;
  while (const TaskRow* row = listing.next()) ids.push_back(row->id);
  if (listing.error()) return tl::unexpected(call.fail(*listing.error()));
  if (ids.empty()) {
    return tl::unexpected(call.fail(
        ClientError{CallFailure::refused,
                    Error{ErrorCode::unknown_task,
                          "there is no workflow " + text + ", or it is another user's", "workflow"},
                    {}}));
  }
  // The ids of a workflow share their prefix and count in the order of its tasks.
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace

void declare_workflow_option(process::OptionTable& table, std::string& workflow) {
  table.text("workflow,w", workflow, "ID", "All tasks of this workflow.");
}

IdText classify_id(std::string_view text) {
  if (!std::all_of(text.begin(), text.end(), is_hex_digit)) return IdText::neither;
  if (text.size() == kIdDigits) return IdText::whole;
  return text.size() >= kLeastPrefixDigits && text.size() < kIdDigits ? IdText::prefix
                                                                      : IdText::neither;
}

tl::expected<std::vector<TaskId>, ExitCode> find_tasks(Invocation& call,
                                                       const std::vector<std::string>& texts,
                                                       const std::string& workflow) {
  if (texts.empty() && workflow.empty()) {
    return tl::unexpected(call.usage_error("give task ids, or --workflow ID"));
  }
  if (!texts.empty() && !workflow.empty()) {
    return tl::unexpected(call.usage_error("give task ids or --workflow ID, not both"));
  }
  if (!workflow.empty()) return tasks_of_workflow(call, workflow);
  std::vector<TaskId> ids;
  std::unordered_set<TaskId> seen;
  for (const std::string& typed : texts) {
    const std::string text = lower_case(typed);
    TaskId id;
    switch (classify_id(text)) {
      case IdText::whole: id = *TaskId::parse(text); break;
      case IdText::prefix: {
        auto expanded = expand(call, text);
        if (!expanded) return tl::unexpected(expanded.error());
        id = *expanded;
        break;
      }
      case IdText::neither:
        return tl::unexpected(call.usage_error(
            Error{ErrorCode::invalid,
                  "'" + typed + "' is no task id: it has 32 hex digits, of which the first " +
                      std::to_string(kLeastPrefixDigits) + " or more will do where they are unique",
                  "task_id"}));
    }
    if (seen.insert(id).second) ids.push_back(id);
  }
  return ids;
}

Error no_workflow_id(const std::string& text) {
  return Error{ErrorCode::invalid,
               "'" + text +
                   "' is no workflow id: all of its 32 hex digits are needed, as 'taskpipe "
                   "workflow submit' prints them",
               "workflow"};
}

Error no_such_tasks(const std::vector<TaskId>& ids) {
  const std::string text =
      ids.size() == 1 ? "there is no task " + ids_text(ids) + ", or it is another user's"
                      : "there are no tasks " + ids_text(ids) + ", or they are another user's";
  return Error{ErrorCode::unknown_task, text, "task_id"};
}

std::string ids_text(const std::vector<TaskId>& ids) {
  std::string text;
  for (std::size_t i = 0; i < std::min(ids.size(), kMostIdsInText); ++i) {
    if (i > 0) text += ' ';
    text += ids[i].to_string();
  }
  return ids.size() > kMostIdsInText ? text + " …" : text;
}

CallResult<std::vector<TaskRow>> rows_of(Invocation& call, const std::vector<TaskId>& ids) {
  auto statuses = call.client().status(ids, call.asking());
  if (!statuses) return tl::unexpected(std::move(statuses.error()));
  std::unordered_map<TaskId, TaskRow> known;
  for (TaskRow& row : statuses->rows) known.emplace(row.id, std::move(row));
  std::vector<TaskRow> rows;
  for (const TaskId& id : ids) {
    const auto found = known.find(id);
    rows.push_back(found == known.end() ? TaskRow{} : std::move(found->second));
    rows.back().id = id;
  }
  return rows;
}

std::string label_of(std::string_view tool, std::string_view script) {
  std::string label(tool);
  if (!script.empty()) label.append(" ").append(script);
  return label;
}

}  // namespace taskpipe::cli
