#include "client/cli/task_rows.hpp"

#include <cmath>
#include <string>

#include "client/cli/documents.hpp"
#include "client/cli/progress_lines.hpp"
#include "client/cli/quantities.hpp"
#include "client/cli/table.hpp"
#include "common/process/clock.hpp"

namespace taskpipe::cli {
namespace {

std::string progress_text(const TaskRow& row) {
  if (row.state != TaskState::running || row.progress_percent < 0) return "";
  return std::to_string(static_cast<int>(std::floor(row.progress_percent))) + "%";
}

// How long it ran, or has run so far.
std::string run_time_text(const TaskRow& row, WallTime now) {
  if (row.started.unix_ms == 0) return "-";
  return duration_text(between(row.started, is_terminal(row.state) ? row.finished : now));
}

Table task_table() {
  return Table({{"ID"},
                {"TOOL", Align::left, 6},
                {"SCRIPT", Align::left, 6},
                {"STATE"},
                {"PROGRESS", Align::right},
                {"RAN", Align::right},
                {"WORKER", Align::left, 6},
                {"SUBMITTED"},
                {"MESSAGE", Align::left, 10}});
}

void add_row(Table& table, const TaskRow& row, WallTime now) {
  table.add({row.id.to_string(), row.tool, row.script,
             Cell(std::string(name_of(row.state)), tone_of(row.state)), progress_text(row),
             run_time_text(row, now), row.worker.empty() ? "-" : row.worker,
             date_time_text(row.submitted), row.message});
}

}  // namespace

void print_rows(Invocation& call, const std::vector<TaskRow>& rows) {
  const WallTime now = process::read_clock().wall;
  Table table = task_table();
  for (const TaskRow& row : rows) add_row(table, row, now);
  if (!table.empty()) call.out() << table.text(call.console().style());
}

ValueList row_documents(const std::vector<TaskRow>& rows) {
  ValueList documents;
  for (const TaskRow& row : rows) documents.push_back(row_document(row));
  return documents;
}

}  // namespace taskpipe::cli
