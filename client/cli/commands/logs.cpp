// taskpipe logs ID
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/commands/commands.hpp"
#include "client/cli/documents.hpp"
#include "client/cli/quantities.hpp"
#include "client/cli/task_ids.hpp"
#include "common/model/utf8.hpp"

namespace taskpipe::cli {
namespace {

struct OutputClosed {};

// Text that a chunk boundary has cut inside a character waits for the rest of it, so that JSON
// lines hold whole characters.
class TextAssembler {
 public:
  // The part of what has come so far that ends with a whole character (or is no UTF-8 at all).
  std::string take(std::string_view data) {
    pending_ += data;
    std::size_t end = pending_.size();
    const std::size_t earliest = end > 3 ? end - 3 : 0;
    for (std::size_t i = end; i > earliest; --i) {
      const auto byte = static_cast<unsigned char>(pending_[i - 1]);
      if ((byte & 0xc0U) == 0x80U) continue;  // a continuation byte: its start comes before
      const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
      if (i - 1 + length > end) end = i - 1;
      break;
    }
    std::string whole = pending_.substr(0, end);
    pending_.erase(0, end);
    return whole;
  }
  [[nodiscard]] std::size_t pending_bytes() const { return pending_.size(); }

 private:
  std::string pending_;
};

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
  TextAssembler text;
  const auto print_json = [&](std::uint64_t at, std::string_view data) {
    const std::uint64_t begin = at - text.pending_bytes();
    call.print(ValueMap{{"stream", from_stderr ? "stderr" : "stdout"},
                        {"offset", static_cast<std::int64_t>(begin)},
                        {"data", text.take(data)}});
  };
  const auto on_chunk = [&](const LogChunk& chunk) {
    if (chunk.offset > expected && !call.json()) {
      call.console().complain("taskpipe: " + bytes_text(chunk.offset - expected) +
                              " before this are not kept any more");
    }
    expected = chunk.offset + chunk.data.size();
    if (call.json()) {
      print_json(chunk.offset, chunk.data);
    } else {
      call.out() << chunk.data << std::flush;
    }
    if (!call.out().good()) throw OutputClosed{};
  };
  try {
    const CallOptions options = follow ? call.waiting() : call.asking();
    const auto end = call.client().fetch_log(ids->front(), stream, from, follow, on_chunk, options);
    if (!end) return call.fail(named(end.error(), *ids));
    if (call.json() && text.pending_bytes() > 0) print_json(expected, "\n");
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
