// taskpipe tools  ·  taskpipe workers  ·  taskpipe health
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/commands/commands.hpp"
#include "client/cli/documents.hpp"
#include "client/cli/quantities.hpp"
#include "client/cli/table.hpp"

namespace taskpipe::cli {
namespace {

template <class Row>
ValueList documents_of(const std::vector<Row>& rows, Value (*document)(const Row&)) {
  ValueList documents;
  for (const Row& row : rows) documents.push_back(document(row));
  return documents;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += ", ";
    text += part;
  }
  return text.empty() ? "-" : text;
}

std::string script_names(const ToolOffer& offer) {
  std::vector<std::string> names;
  for (const ScriptOffer& script : offer.scripts) names.push_back(script.name);
  if (offer.inline_scripts) names.emplace_back("your own (--script)");
  return joined(names);
}

Tone tone_of_worker(WorkerState state) {
  switch (state) {
    case WorkerState::ready: return Tone::good;
    case WorkerState::suspect:
    case WorkerState::draining: return Tone::warning;
    case WorkerState::lost: return Tone::bad;
  }
  return Tone::plain;
}

}  // namespace

ExitCode run_tools(Invocation& call) {
  if (const auto end = call.parse({0, 0})) return *end;
  const auto tools = call.client().tools(call.asking());
  if (!tools) return call.fail(tools.error());
  if (call.json()) {
    call.print(ValueMap{{"tools", documents_of(*tools, &tool_document)}});
    return ExitCode::success;
  }
  Table table({{"TOOL"},
               {"VERSION", Align::left, 8},
               {"WORKERS", Align::right},
               {"SCRIPTS", Align::left, 12},
               {"DESCRIPTION", Align::left, 12}});
  for (const ToolRow& row : *tools) {
    table.add({row.offer.name, row.offer.version.empty() ? "-" : row.offer.version,
               Cell(std::to_string(row.workers), row.workers == 0 ? Tone::bad : Tone::plain),
               script_names(row.offer), row.offer.description});
  }
  if (!table.empty()) call.out() << table.text(call.console().style());
  if (table.empty()) call.console().hint("no worker has offered a tool yet");
  return ExitCode::success;
}

ExitCode run_workers(Invocation& call) {
  if (const auto end = call.parse({0, 0})) return *end;
  const auto workers = call.client().workers(call.asking());
  if (!workers) return call.fail(workers.error());
  if (call.json()) {
    call.print(ValueMap{{"workers", documents_of(*workers, &worker_document)}});
    return ExitCode::success;
  }
  Table table({{"WORKER"},
               {"HOST", Align::left, 8},
               {"STATE"},
               {"RUNNING", Align::right},
               {"FREE", Align::left, 8},
               {"TOTAL", Align::left, 8},
               {"HEARD", Align::right},
               {"TOOLS", Align::left, 8}});
  for (const WorkerRow& row : *workers) {
    table.add({row.name, row.host, Cell(std::string(name_of(row.state)), tone_of_worker(row.state)),
               std::to_string(row.running), resources_text(row.free), resources_text(row.total),
               duration_text(Millis(row.last_heard_ms)) + " ago", joined(row.tools)});
  }
  if (!table.empty()) call.out() << table.text(call.console().style());
  if (table.empty()) call.console().hint("no worker is known");
  return ExitCode::success;
}

ExitCode run_health(Invocation& call) {
  if (const auto end = call.parse({0, 0})) return *end;
  const auto health = call.client().health(call.asking());
  if (!health) return call.fail(health.error());
  const ExitCode code = health->healthy ? ExitCode::success : ExitCode::not_successful;
  if (call.json()) {
    call.print(health_document(*health));
    return code;
  }
  const bool colours = call.console().colours;
  const auto line = [&](std::string_view name, const std::string& value) {
    call.out() << padded(name, 10) << value << '\n';
  };
  line("status", health->healthy ? painted("healthy", Tone::good, colours)
                                 : painted("unhealthy", Tone::bad, colours));
  for (const std::string& warning : health->warnings) {
    line("warning", painted(printable(warning), Tone::warning, colours));
  }
  line("broker", "version " + printable(health->version) + ", up " +
                     duration_text(Millis(static_cast<Millis::rep>(health->uptime_ms))) +
                     ", start number " + std::to_string(health->epoch.value()));
  line("workers", std::to_string(health->workers_ready) + " ready");
  line("tasks", std::to_string(health->tasks_pending) + " pending, " +
                    std::to_string(health->tasks_running) + " running, " +
                    std::to_string(health->tasks_finished) + " finished since the start");
  line("storage", "journal " + bytes_text(health->journal_bytes) + ", " +
                      std::to_string(health->history_lag_tasks) + " tasks behind in the history");
  if (health->memory_limit_bytes != 0) {
    line("memory", bytes_text(health->memory_bytes) + " of " +
                       bytes_text(health->memory_limit_bytes) + ", then submits wait");
  }
  return code;
}

}  // namespace taskpipe::cli
