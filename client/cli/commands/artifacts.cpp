// taskpipe artifacts list ID, taskpipe artifacts get ID [PATTERN…]
#include <string>
#include <utility>
#include <vector>

#include "client/cli/commands/commands.hpp"
#include "client/cli/documents.hpp"
#include "client/cli/quantities.hpp"
#include "client/cli/table.hpp"
#include "client/cli/task_ids.hpp"
#include "common/bulk/artifact_files.hpp"

namespace taskpipe::cli {
namespace {

// Of the one task that the first argument names, once it has ended.
CallResult<TaskResult> result_of_task(Invocation& call, const TaskId& id, bool wait) {
  CallOptions options = wait ? call.waiting() : call.asking();
  if (!wait) options.timeout = Millis(0);
  auto result = call.client().wait(id, options);
  if (result || wait || result.error().failure != CallFailure::timed_out) return result;
  return tl::unexpected(ClientError{
      CallFailure::refused,
      Error{ErrorCode::invalid,
            "the task has not ended; its artifacts are known then. To wait for it: --wait",
            "task_id"},
      {}});
}

std::string where(const Artifact& artifact) {
  if (artifact.stored) return "store";
  if (artifact.shared) return "shared";
  return artifact.problem.empty() ? "report" : "node only";
}

// One line on a terminal, written over and over.
class ProgressLine {
 public:
  explicit ProgressLine(Invocation& call)
      : err_(call.console().err), shown_(call.console().err_is_terminal && !call.json()) {}
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const FileTransfer& transfer) {
    if (!shown_) return;
    const auto percent =
        transfer.size_bytes == 0 ? 100 : transfer.done_bytes * 100 / transfer.size_bytes;
    if (percent == last_ && transfer.done_bytes != transfer.size_bytes) return;
    last_ = percent;
    err_ << "\r\033[K" << printable(std::string(transfer.name)) << "  " << percent << "% of "
         << bytes_text(transfer.size_bytes) << std::flush;
    dirty_ = true;
  }
  void clear() {
    if (std::exchange(dirty_, false)) err_ << "\r\033[K" << std::flush;
    last_ = 101;
  }

 private:
  std::ostream& err_;
  bool shown_;
  bool dirty_ = false;
  std::uint64_t last_ = 101;
};

}  // namespace

ExitCode run_artifacts_list(Invocation& call) {
  bool wait = false;
  call.options().flag("wait", wait, "Wait for the task's end first.");
  if (const auto end = call.parse({1, 1})) return *end;
  const auto ids = find_tasks(call, call.arguments());
  if (!ids) return ids.error();
  const auto result = result_of_task(call, ids->front(), wait);
  if (!result) return call.fail(result.error());
  const auto& artifacts = result->report.artifacts;
  if (call.json()) {
    ValueList list;
    for (const Artifact& artifact : artifacts) list.push_back(artifact_document(artifact));
    call.print(ValueMap{{"task_id", ids->front().to_string()}, {"artifacts", std::move(list)}});
    return ExitCode::success;
  }
  Table table({{"NAME", Align::left, 12}, {"SIZE", Align::right}, {"WHERE"}, {"SHA-256"}});
  for (const Artifact& artifact : artifacts) {
    table.add({Cell(artifact.name), Cell(bytes_text(artifact.size_bytes)), Cell(where(artifact)),
               Cell(artifact.sha256.empty() ? "-" : artifact.sha256)});
  }
  call.out() << table.text(call.console().style());
  for (const Artifact& artifact : artifacts) {
    if (artifact.problem.empty()) continue;
    call.console().complain("taskpipe: " + printable(artifact.name) + " is only on " +
                            printable(result->report.node) + ": " + printable(artifact.problem));
  }
  return ExitCode::success;
}

ExitCode run_artifacts_get(Invocation& call) {
  std::string folder = ".";
  bool wait = false;
  call.options().text("to", folder, "DIR", "Where the files go; made when it does not exist.");
  call.options().flag("wait", wait, "Wait for the task's end first.");
  if (const auto end = call.parse({1, kAnyNumber})) return *end;
  const std::vector<std::string> patterns(call.arguments().begin() + 1, call.arguments().end());
  const auto ids = find_tasks(call, {call.arguments().front()});
  if (!ids) return ids.error();
  const auto result = result_of_task(call, ids->front(), wait);
  if (!result) return call.fail(result.error());

  std::vector<std::string> unmatched;
  ValueList fetched;
  ExitCode code = ExitCode::success;
  ProgressLine line(call);
  const auto fail = [&](const ClientError& error) {
    line.clear();
    code = call.fail(error);
  };
  const auto wanted = bulk::matching(result->report.artifacts, patterns, unmatched);
  for (const Artifact* artifact : wanted) {
    const auto place = bulk::place_below(folder, artifact->name);
    if (!place) {
      Error error = place.error();
      error.text = printable(error.text);  // with the name, which a worker has chosen
      fail(ClientError{CallFailure::refused, std::move(error), {}});
      continue;
    }
    const auto done = call.client().fetch_artifact(
        *result, *artifact, *place, [&](const FileTransfer& transfer) { line.show(transfer); },
        call.waiting());
    if (!done) {
      fail(done.error());
      if (done.error().failure != CallFailure::refused) return code;
      continue;
    }
    line.clear();
    if (!call.json()) call.out() << *place << '\n' << std::flush;
    Value document = artifact_document(*artifact);
    std::get<ValueMap>(document.storage())["file"] = *place;
    fetched.push_back(std::move(document));
  }
  if (call.json()) {
    call.print(ValueMap{{"task_id", ids->front().to_string()}, {"artifacts", std::move(fetched)}});
  }
  for (const std::string& pattern : unmatched) {
    fail(ClientError{CallFailure::refused,
                     Error{ErrorCode::invalid,
                           "the task left no artifact '" + pattern +
                               "'; see:  taskpipe artifacts "
                               "list " +
                               ids->front().to_string(),
                           "name"},
                     {}});
  }
  return code;
}

}  // namespace taskpipe::cli
