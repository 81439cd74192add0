#include "client/cli/follow.hpp"

#include <utility>

#include "client/cli/documents.hpp"
#include "client/cli/live_board.hpp"
#include "client/cli/progress.hpp"
#include "client/cli/progress_lines.hpp"
#include "client/cli/result_view.hpp"
#include "client/cli/task_ids.hpp"
#include "common/process/clock.hpp"

namespace taskpipe::cli {
namespace {

// A longer table would push everything else off a terminal; `taskpipe result` has it.
constexpr std::size_t kMostTableRows = 50;

using Results = CallResult<std::vector<TaskResult>>;

Millis steady(const Now& now) {
  return std::chrono::duration_cast<Millis>(now.monotonic.since_start);
}

// Nobody reads what is printed any more: the call that prints it ends.
struct OutputClosed {};

void check(const std::ostream& out) {
  if (!out.good()) throw OutputClosed{};
}

std::string reference_of(const Followed& followed) {
  return followed.reference.empty() ? ids_text(followed.ids) : followed.reference;
}

Results monitor_on_board(Invocation& call, const Followed& followed, Progress& progress,
                         const CallOptions& options) {
  LiveBoard board(call.console(), progress);
  auto results = call.client().monitor(
      followed.ids,
      [&board](const TaskEvent& event) {
        const Millis now = steady(process::read_clock());
        board.update([&](Progress& changing) { changing.apply(event, now); });
      },
      options);
  if (results) {
    board.update([&](Progress& changing) {
      for (const TaskResult& result : *results) changing.apply(result);
    });
  }
  board.finish();
  return results;
}

Results monitor_as_lines(Invocation& call, const Followed& followed, Progress& progress,
                         const CallOptions& options) {
  ChangeLog log(followed.ids.size());
  return call.client().monitor(
      followed.ids,
      [&](const TaskEvent& event) {
        const Now now = process::read_clock();
        const auto changed = progress.apply(event, steady(now));
        if (!changed) return;
        const auto line = log.line(*changed, progress.tasks()[*changed], now.wall, steady(now));
        if (line) call.out() << *line << '\n' << std::flush;
        check(call.out());
      },
      options);
}

ExitCode monitor_as_json(Invocation& call, const Followed& followed,
                         const std::vector<TaskRow>& rows, const CallOptions& options) {
  auto results = call.client().monitor(
      followed.ids,
      [&call](const TaskEvent& event) {
        call.print(event_document(event));
        check(call.out());
      },
      options);
  if (!results) return call.fail_waiting(results.error(), reference_of(followed));
  for (std::size_t i = 0; i < results->size(); ++i) {
    const auto params = call.client().params(rows[i].id, call.asking());
    if (!params) return call.fail(params.error());
    Value document = result_document((*results)[i], rows[i].tool, rows[i].script, *params);
    std::get<ValueMap>(document.storage())["type"] = "result";
    call.print(document);
  }
  return exit_code_of(*results);
}

ExitCode follow_for_people(Invocation& call, const Followed& followed,
                           const std::vector<TaskRow>& rows, const CallOptions& options) {
  std::vector<std::string> labels = followed.labels;
  for (std::size_t i = labels.size(); i < rows.size(); ++i) {
    labels.push_back(label_of(rows[i].tool, rows[i].script));
  }
  Progress progress(followed.ids, std::move(labels));
  const bool live = call.console().out_is_terminal;
  if (live) {
    const Now now = process::read_clock();
    for (const TaskRow& row : rows) progress.seed(row, now.wall, steady(now));
  }
  auto results = live ? monitor_on_board(call, followed, progress, options)
                      : monitor_as_lines(call, followed, progress, options);
  if (!results) return call.fail_waiting(results.error(), reference_of(followed));
  const TextStyle style = call.console().style();
  const bool fits = !live || results->size() <= kMostTableRows;
  if (followed.table && fits) {
    call.out() << results_table(*results, rows, style, followed.labels);
  }
  call.out() << failures_text(*results, rows, style, followed.labels);
  const std::string several = followed.ids.size() > 1 ? "results" : "the result";
  call.console().hint("for " + several + ":  taskpipe result " + reference_of(followed));
  return exit_code_of(*results);
}

}  // namespace

ExitCode follow(Invocation& call, const Followed& followed, Millis timeout) {
  const CallOptions options = call.waiting(timeout);
  auto rows = rows_of(call, followed.ids);
  if (!rows) return call.fail_waiting(rows.error(), reference_of(followed));
  try {
    return call.json() ? monitor_as_json(call, followed, *rows, options)
                       : follow_for_people(call, followed, *rows, options);
  } catch (const OutputClosed&) {
    return ExitCode::output_closed;
  }
}

ExitCode wait_for(Invocation& call, const Followed& followed, Millis timeout) {
  const auto results = call.client().wait_all(followed.ids, call.waiting(timeout));
  if (!results) return call.fail_waiting(results.error(), reference_of(followed));
  return print_results(call, *results, followed.labels);
}

ExitCode print_results(Invocation& call, const std::vector<TaskResult>& results,
                       const std::vector<std::string>& labels) {
  std::vector<TaskId> ids;
  ids.reserve(results.size());
  for (const TaskResult& result : results) ids.push_back(result.id);
  const auto rows = rows_of(call, ids);
  if (!rows) return call.fail(rows.error());
  if (!call.json()) {
    call.out() << results_table(results, *rows, call.console().style(), labels);
    return exit_code_of(results);
  }
  ValueList documents;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const TaskRow& row = (*rows)[i];
    const auto params = call.client().params(row.id, call.asking());
    if (!params) return call.fail(params.error());
    documents.push_back(result_document(results[i], row.tool, row.script, *params));
  }
  call.print(ValueMap{{"tasks", std::move(documents)}});
  return exit_code_of(results);
}

}  // namespace taskpipe::cli
