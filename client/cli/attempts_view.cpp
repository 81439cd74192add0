#include "client/cli/attempts_view.hpp"

#include <optional>
#include <utility>

#include "client/cli/documents.hpp"
#include "client/cli/progress_lines.hpp"
#include "client/cli/quantities.hpp"
#include "common/process/clock.hpp"

namespace taskpipe::cli {
namespace {

constexpr std::string_view kDecided = "decided";
constexpr std::string_view kRunning = "running";

// Where the process exited by itself, and where a signal ended it.
std::optional<std::int32_t> exit_code_in(const Outcome& outcome) {
  const bool exited = outcome.state == TaskState::success || outcome.failure == FailureClass::exit;
  return exited ? std::optional(outcome.exit_code) : std::nullopt;
}
std::optional<std::int32_t> signal_in(const Outcome& outcome) {
  return outcome.signal > 0 ? std::optional(outcome.signal) : std::nullopt;
}

// As the kernel counted it, else by the broker's clock; 0 = it never said that it had started.
Micros run_time_in(const PastAttempt& attempt) {
  if (attempt.outcome.usage.wall_us > 0) {
    return Micros(static_cast<Micros::rep>(attempt.outcome.usage.wall_us));
  }
  return between(attempt.started, attempt.ended);
}

std::string end_text(const Outcome& outcome) {
  if (const auto code = exit_code_in(outcome)) return std::to_string(*code);
  if (const auto signal = signal_in(outcome)) return "signal " + std::to_string(*signal);
  return "-";
}

Value number_or_null(std::optional<std::int32_t> number) {
  return number ? Value(*number) : Value();
}

Value attempt_document(const AttemptView& view) {
  const PastAttempt& attempt = view.attempt;
  const Outcome& outcome = attempt.outcome;
  const auto time = [](WallTime at) {
    std::string text = process::to_iso_text(at);
    return text.empty() ? Value() : Value(std::move(text));
  };
  return ValueMap{
      {"attempt", static_cast<std::int64_t>(attempt.attempt.value())},
      {"epoch", attempt.epoch == Epoch{} ? Value()
                                         : Value(static_cast<std::int64_t>(attempt.epoch.value()))},
      {"became", view.became},
      {"state", name_of(outcome.state)},
      {"failure_class",
       outcome.failure == FailureClass::none ? Value() : Value(name_of(outcome.failure))},
      {"worker", attempt.worker.empty() ? Value() : Value(attempt.worker)},
      {"started", time(attempt.started)},
      {"ended", time(attempt.ended)},
      {"duration_seconds", static_cast<double>(run_time_in(attempt).count()) / 1e6},
      {"exit_code", number_or_null(exit_code_in(outcome))},
      {"signal", number_or_null(signal_in(outcome))},
      {"reason", outcome.reason}};
}

}  // namespace

std::vector<AttemptView> attempts_of(const TaskRow& row, const TaskResult* result) {
  std::vector<AttemptView> views;
  for (const PastAttempt& past : row.attempts) views.push_back({name_of(past.kind), past});
  if (result == nullptr && row.state == TaskState::running) {
    PastAttempt running;
    running.attempt = row.attempt;
    running.worker = row.worker;
    running.started = row.started;
    running.outcome.state = row.state;
    views.push_back({kRunning, std::move(running)});
  }
  if (result == nullptr || result->attempt.value() == 0) return views;
  PastAttempt decided;
  decided.epoch = result->epoch;
  decided.attempt = result->attempt;
  decided.worker = result->worker;
  decided.started = result->started;
  decided.ended = result->finished;
  decided.outcome = result->outcome;
  views.push_back({kDecided, std::move(decided)});
  return views;
}

ValueList attempt_documents(std::span<const AttemptView> attempts) {
  ValueList documents;
  for (const AttemptView& view : attempts) documents.push_back(attempt_document(view));
  return documents;
}

std::string attempts_text(std::span<const AttemptView> attempts, const TextStyle& style) {
  Table table({{"ATTEMPT", Align::right},
               {"BECAME"},
               {"STATE"},
               {"EXIT", Align::right},
               {"RAN", Align::right},
               {"WORKER", Align::left, 6},
               {"STARTED"},
               {"REASON", Align::left, 10}});
  for (const AttemptView& view : attempts) {
    const PastAttempt& attempt = view.attempt;
    const TaskState state = attempt.outcome.state;
    const Micros ran = run_time_in(attempt);
    table.add({std::to_string(attempt.attempt.value()), std::string(view.became),
               Cell(std::string(name_of(state)), tone_of(state)), end_text(attempt.outcome),
               ran == Micros::zero() ? "-" : duration_text(ran),
               attempt.worker.empty() ? "-" : attempt.worker, date_time_text(attempt.started),
               attempt.outcome.reason});
  }
  return table.empty() ? "" : table.text(style);
}

std::string past_attempts_text(const TaskRow& row, const TextStyle& style) {
  std::string text;
  for (const PastAttempt& past : row.attempts) {
    std::string line =
        "  attempt " + std::to_string(past.attempt.value()) + " " + std::string(name_of(past.kind));
    if (!past.worker.empty()) line += " on " + printable(past.worker);
    if (!past.outcome.reason.empty()) line += ": " + printable(past.outcome.reason);
    if (style.columns > 0) line = cut_to(line, style.columns, style.unicode);
    text += painted(line, Tone::faint, style.colours) + "\n";
  }
  return text;
}

}  // namespace taskpipe::cli
