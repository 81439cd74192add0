// taskpipe result ID…
#include <string>
#include <utility>
#include <vector>

#include "client/cli/commands/commands.hpp"
#include "client/cli/documents.hpp"
#include "client/cli/result_view.hpp"
#include "client/cli/task_ids.hpp"

namespace taskpipe::cli {
namespace {

// A task that has not ended, in a sentence.
std::string still_going(const TaskRow& row) {
  std::string text = "task " + row.id.to_string() + " has not ended: it is ";
  text += status_word(row.state);
  if (!row.worker.empty()) text += " on " + row.worker;
  return text;
}

ExitCode print_result(Invocation& call, const TaskResult& result, const TaskRow& row) {
  if (!call.json()) {
    call.out() << result_text(result, row, call.console().style());
    return exit_code_of({&result, 1});
  }
  const auto params = call.client().params(result.id, call.asking());
  if (!params) return call.fail(params.error());
  call.print(result_document(result, row.tool, row.script, *params));
  return exit_code_of({&result, 1});
}

}  // namespace

ExitCode run_result(Invocation& call) {
  std::string workflow;
  declare_workflow_option(call.options(), workflow);
  if (const auto end = call.parse({0, kAnyNumber})) return *end;
  const auto ids = find_tasks(call, call.arguments(), workflow);
  if (!ids) return ids.error();
  const auto statuses = call.client().status(*ids, call.asking());
  if (!statuses) return call.fail(statuses.error());

  ExitCode code = ExitCode::success;
  bool first = true;
  for (const TaskRow& row : statuses->rows) {
    if (!is_terminal(row.state)) {
      code = ExitCode::not_successful;
      const std::string text =
          still_going(row) + "; to wait for it:  taskpipe wait " + row.id.to_string();
      call.out() << std::flush;
      complain_of_usage(call.console(), call.json(),
                        Error{ErrorCode::ok, call.json() ? text : "taskpipe: " + text, "task_id"});
      continue;
    }
    // It has ended, so this answers at once.
    const auto result = call.client().wait(row.id, call.asking());
    if (!result) return call.fail(result.error());
    if (!std::exchange(first, false) && !call.json()) call.out() << '\n';
    const ExitCode one = print_result(call, *result, row);
    if (one != ExitCode::success) code = one;
  }
  if (statuses->unknown.empty()) return code;
  return call.fail(ClientError{CallFailure::refused, no_such_tasks(statuses->unknown), {}});
}

}  // namespace taskpipe::cli
