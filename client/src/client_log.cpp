// Client: reading what a task wrote.
#include <utility>

#include "client/src/client_impl.hpp"

namespace taskpipe {

CallResult<LogEnd> Client::fetch_log(const TaskId& id, LogStream stream, std::uint64_t offset,
                                     bool follow, const LogCallback& on_chunk,
                                     const CallOptions& options) {
  LogEnd end{offset, false};
  const auto on_delivery = [&](client::CallId call, client::Delivery&& what) {
    auto* arrived = std::get_if<client::delivery::LogArrived>(&what);
    if (arrived == nullptr) return true;
    const Chunk& chunk = arrived->chunk;
    const std::string_view text = chunk.data.text();
    if (!text.empty() && on_chunk) on_chunk(LogChunk{chunk.offset, text, chunk.attempt});
    end.next_offset = chunk.offset + text.size();
    end.complete = chunk.eof;
    if (!chunk.eof) impl_->log_consumed(call, text.size());
    return true;
  };
  std::optional<Millis> timeout = options.timeout;
  const bool stepwise = !follow && !timeout;
  if (stepwise) timeout = impl_->options().request_timeout;
  auto done = impl_->run(client::command::ReadLog{id, stream, offset, follow}, timeout, options,
                         on_delivery, stepwise);
  if (!done) return tl::unexpected(std::move(done.error()));
  return end;
}

}  // namespace taskpipe
