#include "client/cli/result_view.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "client/cli/display_text.hpp"
#include "client/cli/documents.hpp"
#include "client/cli/progress_lines.hpp"
#include "client/cli/quantities.hpp"
#include "client/cli/table.hpp"
#include "client/cli/task_ids.hpp"

namespace taskpipe::cli {
namespace {

constexpr std::size_t kTailLines = 10;
constexpr std::size_t kFailureTailLines = 5;
constexpr std::size_t kNameColumns = 12;
constexpr std::size_t kMostArtifacts = 20;
constexpr std::size_t kMostFailures = 10;

void append_field(std::string& text, std::string_view name, const std::string& value,
                  const TextStyle& style) {
  if (value.empty()) return;
  text += "  " + painted(padded(name, kNameColumns), Tone::faint, style.colours) + value + "\n";
}

// The last `most` lines, each printable and indented; empty when there are none.
std::string tail_lines(std::string_view tail, std::size_t most, std::string_view indent) {
  while (!tail.empty() && tail.back() == '\n') tail.remove_suffix(1);
  std::size_t begin = tail.size();
  for (std::size_t lines = 0; lines < most && begin > 0; ++lines) {
    const auto newline = tail.rfind('\n', begin - 1);
    begin = newline == std::string_view::npos ? 0 : newline;
  }
  if (begin < tail.size() && tail[begin] == '\n') tail.remove_prefix(begin + 1);
  std::string text;
  while (!tail.empty()) {
    const auto end = std::min(tail.find('\n'), tail.size());
    text += std::string(indent) + printable(tail.substr(0, end)) + "\n";
    tail.remove_prefix(std::min(end + 1, tail.size()));
  }
  return text;
}

void append_tail(std::string& text, std::string_view name, const std::string& tail,
                 std::uint64_t bytes, const TextStyle& style) {
  const std::string lines = tail_lines(tail, kTailLines, "    ");
  if (lines.empty()) return;
  text += "  " + painted(name, Tone::faint, style.colours) + " (" + bytes_text(bytes) +
          ", its end)\n" + lines;
}

std::string metrics_text(const RunReport& report) {
  std::string text;
  for (const auto& [name, value] : report.metrics) {
    if (!text.empty()) text += ", ";
    text += printable(name) + " " + number_text(value);
  }
  return text;
}

std::string where(const TaskResult& result) {
  std::string text = printable(result.worker);
  const std::string node = printable(result.report.node);
  if (!node.empty() && node != text) text += text.empty() ? node : " on " + node;
  if (result.attempt.value() > 1) {
    text += ", attempt " + std::to_string(result.attempt.value());
  }
  return text;
}

std::string usage_text(const Usage& usage) {
  if (usage.wall_us == 0) return "";
  std::string text = duration_text(Micros(static_cast<Micros::rep>(usage.user_us))) + " user, " +
                     duration_text(Micros(static_cast<Micros::rep>(usage.system_us))) + " system";
  if (usage.max_rss_bytes > 0) text += ", " + bytes_text(usage.max_rss_bytes) + " of memory";
  return text;
}

void append_artifacts(std::string& text, const RunReport& report, const TextStyle& style) {
  const std::size_t shown = std::min(report.artifacts.size(), kMostArtifacts);
  std::size_t widest = 0;
  for (std::size_t i = 0; i < shown; ++i) {
    widest = std::max(widest, bytes_text(report.artifacts[i].size_bytes).size());
  }
  for (std::size_t i = 0; i < shown; ++i) {
    const Artifact& artifact = report.artifacts[i];
    append_field(text, i == 0 ? "artifacts" : "",
                 padded(bytes_text(artifact.size_bytes), widest, Align::right) + "  " +
                     printable(artifact.path.empty() ? artifact.name : artifact.path),
                 style);
  }
  if (shown < report.artifacts.size()) {
    append_field(text, "", "and " + std::to_string(report.artifacts.size() - shown) + " more",
                 style);
  }
}

}  // namespace

std::string result_text(const TaskResult& result, const TaskRow& row, const TextStyle& style) {
  const TaskState state = result.outcome.state;
  std::string text =
      painted(printable(label_of(row.tool, row.script)), Tone::strong, style.colours) + "  " +
      painted(name_of(state), tone_of(state), style.colours) + "\n";
  append_field(text, "id", result.id.to_string(), style);
  if (!result.succeeded()) append_field(text, "reason", printable(reason_of(result)), style);
  append_field(text, "node", where(result), style);
  if (result.attempt.value() > 0) {
    std::string time = duration_text(run_time_of(result));
    const Millis waited = between(result.submitted, result.started);
    if (waited > Millis::zero()) time += " (after waiting " + duration_text(waited) + ")";
    append_field(text, "duration", time, style);
  }
  append_field(text, "used", usage_text(result.outcome.usage), style);
  const auto code = returncode_of(result.outcome);
  if (code) append_field(text, "exit code", std::to_string(*code), style);
  append_field(text, "metrics", metrics_text(result.report), style);
  if (!result.report.value.is_null()) {
    append_field(text, "value", printable(to_json_text(result.report.value)), style);
  }
  append_artifacts(text, result.report, style);
  append_field(text, "directory", printable(result.report.directory), style);
  append_tail(text, "stdout", result.report.stdout_tail, result.report.stdout_bytes, style);
  append_tail(text, "stderr", result.report.stderr_tail, result.report.stderr_bytes, style);
  return text;
}

std::string results_table(std::span<const TaskResult> results, std::span<const TaskRow> rows,
                          const TextStyle& style, std::span<const std::string> labels) {
  std::vector<Column> columns = {{"ID"}};
  if (labels.empty()) {
    columns.push_back({"TOOL", Align::left, 6});
    columns.push_back({"SCRIPT", Align::left, 6});
  } else {
    columns.push_back({"TASK", Align::left, 6});
  }
  for (Column column : std::vector<Column>{{"STATE"},
                                           {"DURATION", Align::right},
                                           {"NODE", Align::left, 6},
                                           {"REASON", Align::left, 10}}) {
    columns.push_back(std::move(column));
  }
  Table table(std::move(columns));
  for (std::size_t i = 0; i < results.size(); ++i) {
    const TaskResult& result = results[i];
    const TaskState state = result.outcome.state;
    std::vector<Cell> cells = {result.id.to_string()};
    if (labels.empty()) {
      cells.emplace_back(rows[i].tool);
      cells.emplace_back(rows[i].script);
    } else {
      cells.emplace_back(labels[i]);
    }
    cells.emplace_back(std::string(name_of(state)), tone_of(state));
    cells.emplace_back(result.attempt.value() == 0 ? "-" : duration_text(run_time_of(result)));
    cells.emplace_back(result.worker.empty() ? "-" : result.worker);
    cells.emplace_back(reason_of(result));
    table.add(std::move(cells));
  }
  return table.text(style);
}

std::string failures_text(std::span<const TaskResult> results, std::span<const TaskRow> rows,
                          const TextStyle& style, std::span<const std::string> labels) {
  std::string text;
  std::size_t failures = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const TaskResult& result = results[i];
    if (result.succeeded() || ++failures > kMostFailures) continue;
    const TaskState state = result.outcome.state;
    text += painted(name_of(state), tone_of(state), style.colours) + "  " +
            printable(labels.empty() ? label_of(rows[i].tool, rows[i].script) : labels[i]) + "  " +
            result.id.to_string() + "\n  " + printable(reason_of(result)) + "\n";
    const std::string& tail =
        result.report.stderr_tail.empty() ? result.report.stdout_tail : result.report.stderr_tail;
    text += tail_lines(tail, kFailureTailLines, "  | ");
  }
  if (failures > kMostFailures) {
    text += "and " + std::to_string(failures - kMostFailures) + " more that did not succeed\n";
  }
  return text;
}

}  // namespace taskpipe::cli
