// taskpipe workflow submit FILE
#include <string>
#include <utility>
#include <vector>

#include "client/cli/commands/commands.hpp"
#include "client/cli/follow.hpp"
#include "client/cli/input_file.hpp"
#include "client/cli/task_ids.hpp"
#include "client/cli/workflow_file.hpp"

namespace taskpipe::cli {
namespace {

// The names that the file gives; where there is none, tool and script.
std::vector<std::string> labels_of(const WorkflowFile& file) {
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < file.names.size(); ++i) {
    const TaskRequest& task = file.request.tasks[i].task;
    labels.push_back(file.names[i].empty() ? label_of(task.tool, task.script) : file.names[i]);
  }
  return labels;
}

void print_receipt(Invocation& call, const WorkflowReceipt& receipt) {
  const std::string id = receipt.id.to_string();
  if (call.json()) {
    ValueList tasks;
    for (const TaskId& task : receipt.tasks) tasks.emplace_back(task.to_string());
    call.print(ValueMap{{"workflow_id", id}, {"task_ids", std::move(tasks)}});
    return;
  }
  call.out() << id << '\n' << std::flush;
  call.console().hint("to look on:  taskpipe monitor --workflow " + id);
}

}  // namespace

ExitCode run_workflow_submit(Invocation& call) {
  bool sequential = false;
  bool wait = false;
  bool follows = false;
  call.options().group("Workflow");
  call.options().flag("sequential", sequential, "Each task waits for the one before it.");
  call.options().group("Afterwards");
  call.options().flag("wait", wait, "Wait for the end and print the results.");
  call.options().flag("follow,f", follows, "Show the progress until the end.");
  if (const auto end = call.parse({1, 1})) return *end;

  const std::string& path = call.arguments().front();
  const auto text = read_input_file(path, "FILE");
  if (!text) return call.usage_error(text.error());
  auto file = read_workflow(*text);
  if (!file) {
    Error error = std::move(file.error());
    error.text = path + ": " + error.text;
    return call.usage_error(error);
  }
  if (sequential) make_sequential(file->request);

  const auto receipt = call.client().submit_workflow(file->request, call.asking());
  if (!receipt) return call.fail(receipt.error());
  const Followed followed{receipt->tasks, labels_of(*file)};
  if (follows) return follow(call, followed, Millis::zero());
  if (wait) return wait_for(call, followed, Millis::zero());
  print_receipt(call, *receipt);
  return ExitCode::success;
}

}  // namespace taskpipe::cli
