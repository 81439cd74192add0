// taskpipe cancel ID…
#include <string>
#include <utility>
#include <vector>

#include "client/cli/commands/commands.hpp"
#include "client/cli/task_ids.hpp"

namespace taskpipe::cli {
namespace {

std::string outcome_of(const CancelCode& item) {
  if (item.code == ErrorCode::unknown_task) return "unknown";
  if (item.code != ErrorCode::ok) return std::string(name_of(item.code));
  return item.was_live ? "cancelled" : "had ended";
}

ExitCode print_codes(Invocation& call, const std::vector<CancelCode>& codes) {
  ExitCode exit_code = ExitCode::success;
  ValueList documents;
  for (const CancelCode& item : codes) {
    if (item.code == ErrorCode::unknown_task) {
      exit_code = ExitCode::not_successful;
    } else if (item.code != ErrorCode::ok && exit_code == ExitCode::success) {
      exit_code = ExitCode::refused;
    }
    if (call.json()) {
      documents.push_back(ValueMap{{"task_id", item.id.to_string()},
                                   {"cancelled", item.was_live},
                                   {"code", name_of(item.code)}});
    } else {
      call.out() << item.id.to_string() << "  " << outcome_of(item) << '\n';
    }
  }
  if (call.json()) call.print(ValueMap{{"tasks", std::move(documents)}});
  return exit_code;
}

}  // namespace

ExitCode run_cancel(Invocation& call) {
  std::string workflow;
  Millis grace{0};
  declare_workflow_option(call.options(), workflow);
  call.options().duration("grace", grace, {Millis{0}, Millis{limits::kMaxGraceMs}},
                          "Between SIGTERM and SIGKILL; 0 = the task's own.");
  if (const auto end = call.parse({0, kAnyNumber})) return *end;
  if (!workflow.empty() && call.arguments().empty()) {
    const auto id = WorkflowId::parse(workflow);
    if (!id) return call.usage_error(no_workflow_id(workflow));
    const auto codes = call.client().cancel_workflow(*id, grace, call.asking());
    return codes ? print_codes(call, *codes) : call.fail(codes.error());
  }
  const auto ids = find_tasks(call, call.arguments(), workflow);
  if (!ids) return ids.error();
  const auto codes = call.client().cancel(*ids, grace, call.asking());
  return codes ? print_codes(call, *codes) : call.fail(codes.error());
}

}  // namespace taskpipe::cli
