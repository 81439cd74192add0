// taskpipe workflow submit FILE  ·  taskpipe workflow run FILE  ·  taskpipe workflow status ID
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/commands/commands.hpp"
#include "client/cli/follow.hpp"
#include "client/cli/input_file.hpp"
#include "client/cli/progress_summary.hpp"
#include "client/cli/task_ids.hpp"
#include "client/cli/task_rows.hpp"
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

Value receipt_document(const WorkflowReceipt& receipt) {
  ValueList tasks;
  for (const TaskId& task : receipt.tasks) tasks.emplace_back(task.to_string());
  return ValueMap{{"workflow_id", receipt.id.to_string()}, {"task_ids", std::move(tasks)}};
}

void print_receipt(Invocation& call, const WorkflowReceipt& receipt) {
  const std::string id = receipt.id.to_string();
  if (call.json()) return call.print(receipt_document(receipt));
  call.out() << id << '\n' << std::flush;
  call.console().hint("to look on:  taskpipe monitor --workflow " + id);
}

// Reads the file that the first argument names. Reports what is wrong.
tl::expected<WorkflowFile, ExitCode> read_file(Invocation& call) {
  const std::string& path = call.arguments().front();
  const auto text = read_input_file(path, "FILE");
  if (!text) return tl::unexpected(call.usage_error(text.error()));
  auto file = read_workflow(*text, format_of(path, *text));
  if (file) return std::move(*file);
  Error error = std::move(file.error());
  error.text = (path == "-" ? "standard input" : path) + ": " + error.text;
  return tl::unexpected(call.usage_error(error));
}

Followed followed_of(const WorkflowFile& file, const WorkflowReceipt& receipt) {
  Followed followed{receipt.tasks, labels_of(file)};
  followed.reference = "--workflow " + receipt.id.to_string();
  return followed;
}

void declare_sequential(Invocation& call, bool& sequential) {
  call.options().group("Workflow");
  call.options().flag("sequential", sequential, "Each task waits for the one before it.");
}

}  // namespace

ExitCode run_workflow_submit(Invocation& call) {
  bool sequential = false;
  bool wait = false;
  bool follows = false;
  declare_sequential(call, sequential);
  call.options().group("Afterwards");
  call.options().flag("wait", wait, "Wait for the end and print the results.");
  call.options().flag("follow,f", follows, "Show the progress until the end.");
  if (const auto end = call.parse({1, 1})) return *end;

  auto file = read_file(call);
  if (!file) return file.error();
  if (sequential) make_sequential(file->request);
  const auto receipt = call.client().submit_workflow(file->request, call.asking());
  if (!receipt) return call.fail(receipt.error());
  const Followed followed = followed_of(*file, *receipt);
  if (follows) return follow(call, followed, Millis::zero());
  if (wait) return wait_for(call, followed, Millis::zero());
  print_receipt(call, *receipt);
  return ExitCode::success;
}

ExitCode run_workflow_run(Invocation& call) {
  bool sequential = false;
  Millis timeout{0};
  declare_sequential(call, sequential);
  call.options().duration("timeout,t", timeout, {},
                          "Look on no longer than this; exit code 4, the tasks go on. 0 = until "
                          "the end.");
  if (const auto end = call.parse({1, 1})) return *end;

  auto file = read_file(call);
  if (!file) return file.error();
  if (sequential) make_sequential(file->request);
  const auto receipt = call.client().submit_workflow(file->request, call.asking());
  if (!receipt) return call.fail(receipt.error());
  if (call.json()) {
    Value document = receipt_document(*receipt);
    std::get<ValueMap>(document.storage())["type"] = "workflow";
    call.print(document);
  } else {
    // Also into a pipe, but not on stdout: whoever loses this terminal needs the id.
    call.console().complain("workflow " + receipt->id.to_string() + ", " +
                            std::to_string(receipt->tasks.size()) + " tasks");
  }
  Followed followed = followed_of(*file, *receipt);
  followed.table = true;
  return follow(call, followed, timeout);
}

ExitCode run_workflow_status(Invocation& call) {
  if (const auto end = call.parse({1, 1})) return *end;
  const auto ids = find_tasks(call, {}, call.arguments().front());
  if (!ids) return ids.error();
  const auto rows = rows_of(call, *ids);
  if (!rows) return call.fail(rows.error());
  Tally tally;
  for (const TaskRow& row : *rows) tally.add(row.state, row.progress_percent);
  if (call.json()) {
    const auto number = [](std::size_t n) { return Value(static_cast<std::int64_t>(n)); };
    call.print(ValueMap{{"workflow_id", call.arguments().front()},
                        {"total", number(tally.total())},
                        {"completed", number(tally.succeeded)},
                        {"failed", number(tally.failed + tally.cancelled)},
                        {"running", number(tally.running)},
                        {"pending", number(tally.pending)},
                        {"all_complete", tally.ended() == tally.total()},
                        {"tasks", row_documents(*rows)}});
    return ExitCode::success;
  }
  call.out() << summary_line(tally, Pace(), call.console().style(), Millis::zero()) << "\n\n";
  print_rows(call, *rows);
  return ExitCode::success;
}

}  // namespace taskpipe::cli
