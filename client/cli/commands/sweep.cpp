// taskpipe sweep TOOL [SCRIPT] -p a=1,2,3 -p b=…
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/commands/commands.hpp"
#include "client/cli/follow.hpp"
#include "client/cli/submit_request.hpp"
#include "client/cli/sweep.hpp"
#include "client/cli/task_ids.hpp"

namespace taskpipe::cli {
namespace {

struct Plan {
  std::string name;
  bool dry_run = false;
  bool task_ids = false;
  bool wait = false;
  bool follow = false;
};

void declare_plan(process::OptionTable& table, Plan& plan) {
  table.group("Sweep");
  table.text("name", plan.name, "NAME", "Name of the workflow that the sweep becomes.");
  table.flag("dry-run", plan.dry_run, "Print the combinations, submit nothing.");
  table.flag("task-ids", plan.task_ids, "Print the ids of the tasks, rather than the workflow's.");
  table.group("Afterwards");
  table.flag("wait", plan.wait, "Wait for the end and print the results.");
  table.flag("follow,f", plan.follow, "Show the progress until the end.");
}

// One task per combination. What they share (--params, resources, …) is in `common`.
WorkflowRequest workflow_of(const TaskRequest& common, const Sweep& sweep, std::string name) {
  WorkflowRequest workflow;
  workflow.name =
      name.empty() ? "sweep of " + label_of(common.tool, common.script) : std::move(name);
  for (std::size_t i = 0; i < sweep.count(); ++i) {
    WorkflowTask task{common};
    for (auto& [key, value] : sweep.params(i)) task.task.params[key] = value;
    workflow.tasks.push_back(std::move(task));
  }
  return workflow;
}

std::vector<std::string> labels_of(const WorkflowRequest& workflow, const Sweep& sweep) {
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < workflow.tasks.size(); ++i) {
    const TaskRequest& task = workflow.tasks[i].task;
    const std::string label = sweep.label(i);
    labels.push_back(label.empty() ? label_of(task.tool, task.script) : label);
  }
  return labels;
}

ValueList params_of(const WorkflowRequest& workflow) {
  ValueList list;
  for (const WorkflowTask& task : workflow.tasks) list.emplace_back(task.task.params);
  return list;
}

ExitCode print_combinations(Invocation& call, const WorkflowRequest& workflow,
                            const std::vector<std::string>& labels) {
  if (call.json()) {
    call.print(ValueMap{{"count", static_cast<std::int64_t>(labels.size())},
                        {"params", params_of(workflow)}});
    return ExitCode::success;
  }
  for (const std::string& label : labels) call.out() << printable(label) << '\n';
  return ExitCode::success;
}

void print_receipt(Invocation& call, const WorkflowReceipt& receipt,
                   const WorkflowRequest& workflow, bool task_ids) {
  const std::string id = receipt.id.to_string();
  if (call.json()) {
    ValueList ids;
    for (const TaskId& task : receipt.tasks) ids.emplace_back(task.to_string());
    call.print(ValueMap{
        {"workflow_id", id}, {"task_ids", std::move(ids)}, {"params", params_of(workflow)}});
    return;
  }
  if (!task_ids) {
    call.out() << id << '\n';
  } else {
    for (const TaskId& task : receipt.tasks) call.out() << task.to_string() << '\n';
  }
  call.out() << std::flush;
  call.console().hint("to look on:  taskpipe monitor --workflow " + id);
}

}  // namespace

ExitCode run_sweep(Invocation& call) {
  SubmitOptions options;
  Plan plan;
  declare_params(
      call.options(), options,
      "A parameter and its values, separated by commas; 1..5 and 0..100..25 are ranges.");
  declare_task(call.options(), options);
  declare_plan(call.options(), plan);
  if (const auto end = call.parse({1, 2})) return *end;

  const auto sweep = read_sweep(std::exchange(options.params, {}));
  if (!sweep) return call.usage_error(sweep.error());
  const auto& words = call.arguments();
  const auto common = make_request(words[0], words.size() > 1 ? words[1] : "", options);
  if (!common) return call.usage_error(common.error());
  const WorkflowRequest workflow = workflow_of(*common, *sweep, plan.name);
  const auto labels = labels_of(workflow, *sweep);
  if (!call.json()) call.console().complain(sweep->size_text(call.console().unicode));
  if (plan.dry_run) return print_combinations(call, workflow, labels);

  const auto receipt = call.client().submit_workflow(workflow, call.asking());
  if (!receipt) return call.fail(receipt.error());
  Followed followed{receipt->tasks, labels};
  followed.reference = "--workflow " + receipt->id.to_string();
  followed.table = true;
  if (plan.follow) return follow(call, followed, Millis::zero());
  if (plan.wait) return wait_for(call, followed, Millis::zero());
  print_receipt(call, *receipt, workflow, plan.task_ids);
  return ExitCode::success;
}

}  // namespace taskpipe::cli
