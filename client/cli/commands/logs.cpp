// taskpipe logs ID
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/commands/commands.hpp"
#include "client/cli/documents.hpp"
#include "client/cli/log_text.hpp"
#include "client/cli/quantities.hpp"
#include "client/cli/task_ids.hpp"

namespace taskpipe::cli {
namespace {

struct OutputClosed {};

// The broker does not repeat the id that it does not know.
ClientError named(ClientError error, const std::vector<TaskId>& ids) {
  if (error.error.code == ErrorCode::unknown_task) error.error = no_such_tasks(ids);
  return error;
}

}  // namespace

ExitCode run_logs(Invocation& call) {
  bool follow = false;
  bool from_stderr = false;
  std::int64_t offset = 0;
  call.options().flag("follow,f", follow, "Go on until the task ends.");
  call.options().flag("stderr,e", from_stderr, "What it wrote to stderr, rather than to stdout.");
  call.options().integer<std::int64_t>("offset", offset, {.min = 0}, "Begin at this byte.");
  if (const auto end = call.parse({1, 1})) return *end;
  const auto ids = find_tasks(call, call.arguments());
  if (!ids) return ids.error();

  const LogStream stream = from_stderr ? LogStream::err : LogStream::out;
  const auto from = static_cast<std::uint64_t>(offset);
  std::uint64_t expected = from;
  Attempt attempt;
  LogTextAssembler assembler;
  const auto print_json = [&](const std::optional<LogText>& text) {
    if (!text) return;
    call.print(ValueMap{{"stream", from_stderr ? "stderr" : "stdout"},
                        {"attempt", static_cast<std::int64_t>(attempt.value())},
                        {"offset", static_cast<std::int64_t>(text->offset)},
                        {"data", text->data}});
  };
  const auto on_chunk = [&](const LogChunk& chunk) {
    if (chunk.attempt != attempt) {
      if (attempt != Attempt{}) {
        expected = 0;
        if (call.json()) print_json(assembler.rest());
        call.console().hint("attempt " + std::to_string(chunk.attempt.value()) +
                            " of the task begins");
      }
      attempt = chunk.attempt;
    }
    if (chunk.offset > expected && !call.json()) {
      call.console().complain("taskpipe: " + bytes_text(chunk.offset - expected) +
                              " before this are not kept any more");
    }
    if (chunk.offset != expected && call.json()) print_json(assembler.rest());
    expected = chunk.offset + chunk.data.size();
    if (call.json()) {
      print_json(assembler.take(chunk.offset, chunk.data));
    } else {
      call.out() << chunk.data << std::flush;
    }
    if (!call.out().good()) throw OutputClosed{};
  };
  try {
    const CallOptions options = follow ? call.waiting() : call.asking();
    const auto end = call.client().fetch_log(ids->front(), stream, from, follow, on_chunk, options);
    if (call.json()) print_json(assembler.rest());
    if (!end) return call.fail(named(end.error(), *ids));
    if (!end->complete) {
      call.console().hint("the task has not ended; to go on:  taskpipe logs --follow " +
                          ids->front().to_string());
    }
  } catch (const OutputClosed&) {
    return ExitCode::output_closed;
  }
  return ExitCode::success;
}

}  // namespace taskpipe::cli
