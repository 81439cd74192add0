// taskpipe status ID…  ·  taskpipe list
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/attempts_view.hpp"
#include "client/cli/commands/commands.hpp"
#include "client/cli/documents.hpp"
#include "client/cli/listing.hpp"
#include "client/cli/task_ids.hpp"
#include "client/cli/task_rows.hpp"

namespace taskpipe::cli {
namespace {

// A single task is asked for with its attempts.
CallResult<TaskStatuses> statuses_of(Invocation& call, const std::vector<TaskId>& ids) {
  if (ids.size() != 1) return call.client().status(ids, call.asking());
  auto row = call.client().inspect(ids.front(), call.asking());
  if (row) return TaskStatuses{{std::move(*row)}, {}};
  if (row.error().is(ErrorCode::unknown_task)) return TaskStatuses{{}, ids};
  return tl::unexpected(std::move(row.error()));
}

ValueList with_attempts(const TaskRow& row) {
  const Value plain = row_document(row);
  ValueMap document = *plain.as<ValueMap>();
  document["attempts"] = attempt_documents(attempts_of(row, nullptr));
  return {std::move(document)};
}

}  // namespace

ExitCode run_status(Invocation& call) {
  std::string workflow;
  declare_workflow_option(call.options(), workflow);
  if (const auto end = call.parse({0, kAnyNumber})) return *end;
  const auto ids = find_tasks(call, call.arguments(), workflow);
  if (!ids) return ids.error();
  const auto statuses = statuses_of(call, *ids);
  if (!statuses) return call.fail(statuses.error());
  const auto& rows = statuses->rows;
  const bool alone = ids->size() == 1 && rows.size() == 1;
  if (call.json()) {
    ValueList unknown;
    for (const TaskId& id : statuses->unknown) unknown.emplace_back(id.to_string());
    call.print(ValueMap{{"tasks", alone ? with_attempts(rows.front()) : row_documents(rows)},
                        {"unknown", std::move(unknown)}});
  } else {
    print_rows(call, rows);
    if (alone) call.out() << past_attempts_text(rows.front(), call.console().style());
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
                      "Only tasks in this state: " + state_words(every_state()) + ".");
  call.options().text("tool", filter.tool, "TOOL", "Only tasks of this tool.");
  declare_workflow_option(call.options(), workflow);
  declare_limit(call.options(), limit);
  if (const auto end = call.parse({0, 0})) return *end;
  const auto wanted = read_state(state, every_state());
  if (!wanted) return call.usage_error(wanted.error());
  filter.state = *wanted;
  if (!workflow.empty()) {
    filter.workflow = WorkflowId::parse(workflow);
    if (!filter.workflow) return call.usage_error(no_workflow_id(workflow));
  }
  return print_listing(call, call.client().list(filter, call.asking()), limit, "no tasks");
}

}  // namespace taskpipe::cli
