// taskpipe artifacts list ID, taskpipe artifacts get ID [PATTERN…]
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/commands/commands.hpp"
#include "client/cli/documents.hpp"
#include "client/cli/quantities.hpp"
#include "client/cli/table.hpp"
#include "client/cli/task_ids.hpp"

namespace taskpipe::cli {
namespace {

namespace fs = std::filesystem;

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

std::vector<const Artifact*> matching(const std::vector<Artifact>& artifacts,
                                      const std::vector<std::string>& patterns,
                                      std::vector<std::string>& unmatched) {
  std::set<const Artifact*> wanted;
  for (const std::string& pattern : patterns) {
    bool found = false;
    for (const Artifact& artifact : artifacts) {
      const bool fits =
          artifact.name == pattern || ::fnmatch(pattern.c_str(), artifact.name.c_str(), 0) == 0;
      if (fits) wanted.insert(&artifact);
      found = found || fits;
    }
    if (!found) unmatched.push_back(pattern);
  }
  std::vector<const Artifact*> in_order;
  for (const Artifact& artifact : artifacts) {
    if (patterns.empty() || wanted.contains(&artifact)) in_order.push_back(&artifact);
  }
  return in_order;
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

Error leaves_folder(const Artifact& artifact) {
  return {ErrorCode::invalid,
          "artifact '" + printable(artifact.name) +
              "' is not fetched: its name would leave the folder, or is no file name",
          "name"};
}

// The file's place below `folder`, whose folders are there then.
tl::expected<std::string, Error> place_for(const Artifact& artifact, const std::string& folder) {
  if (!is_plain_relative_path(artifact.name)) return tl::unexpected(leaves_folder(artifact));
  fs::path place = fs::path(folder);
  std::error_code error;
  const fs::path relative(artifact.name);
  fs::create_directories(place, error);
  for (const fs::path& part : relative.parent_path()) {
    place /= part;
    // A link among its folders could lead out.
    if (fs::is_symlink(fs::symlink_status(place, error))) {
      return tl::unexpected(leaves_folder(artifact));
    }
    fs::create_directory(place, error);
  }
  if (error) {
    return tl::unexpected(Error{ErrorCode::storage,
                                "cannot make '" + place.string() + "': " + error.message(), "to"});
  }
  return (place / relative.filename()).string();
}

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
  for (const Artifact* artifact : matching(result->report.artifacts, patterns, unmatched)) {
    const auto place = place_for(*artifact, folder);
    if (!place) {
      fail(ClientError{CallFailure::refused, place.error(), {}});
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
