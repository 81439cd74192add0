// taskpipe wait ID…  ·  taskpipe monitor ID…
#include <string>

#include "client/cli/commands/commands.hpp"
#include "client/cli/follow.hpp"
#include "client/cli/task_ids.hpp"

namespace taskpipe::cli {
namespace {

void declare_timeout(process::OptionTable& table, Millis& timeout) {
  table.duration("timeout,t", timeout, {},
                 "Give up after this time, with exit code 4; the tasks go on. 0 = never.");
}

}  // namespace

ExitCode run_wait(Invocation& call) {
  bool any = false;
  Millis timeout{0};
  std::string workflow;
  call.options().flag("any", any, "Until the first of them has ended, rather than all.");
  declare_timeout(call.options(), timeout);
  declare_workflow_option(call.options(), workflow);
  if (const auto end = call.parse({0, kAnyNumber})) return *end;
  const auto ids = find_tasks(call, call.arguments(), workflow);
  if (!ids) return ids.error();
  if (!any) return wait_for(call, {*ids, {}}, timeout);
  const auto first = call.client().wait_any(*ids, call.waiting(timeout));
  if (!first) return call.fail_waiting(first.error(), ids_text(*ids));
  return print_results(call, {*first});
}

ExitCode run_monitor(Invocation& call) {
  Millis timeout{0};
  std::string workflow;
  declare_timeout(call.options(), timeout);
  declare_workflow_option(call.options(), workflow);
  if (const auto end = call.parse({0, kAnyNumber})) return *end;
  const auto ids = find_tasks(call, call.arguments(), workflow);
  if (!ids) return ids.error();
  return follow(call, {*ids, {}}, timeout);
}

}  // namespace taskpipe::cli
