// Logs being read. Every log is first caught up with, chunk by chunk, and only then followed: the
// broker pushes what is new from its short memory of a running task, whereas a plain FETCH reaches
// the whole file at the worker, also when the task has ended. Chunks carry their offset; whatever
// leaves a gap (a reconnect, a pause, a burst) goes back to catching up from the offset wanted
// next. A task that is tried again writes anew: its reader begins again at 0.
//
// A reader that does not keep up pauses its log once limits::kMaxUnreadLogBytes wait for it; chunks
// that still arrive are ignored, and asked for again when half of it has been read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "client/src/call.hpp"
#include "client/src/correlation.hpp"
#include "client/src/delivery.hpp"
#include "common/model/time.hpp"

namespace taskpipe::client {

class LogReads {
 public:
  explicit LogReads(CorrelationSource& correlations) : correlations_(correlations) {}

  // False when this task's stream is being read already: the broker keeps one reader per session.
  [[nodiscard]] bool add(CallId call, const command::ReadLog& read);
  void forget(CallId call);
  // The caller has taken `bytes` of what was delivered.
  void consumed(CallId call, std::size_t bytes);

  void on_welcome();
  // The call that got the chunk, if any.
  std::optional<CallId> on_chunk(Correlation correlation, Chunk&& chunk, Effects& out);
  void on_error(Correlation correlation, const Error& error, MonotonicTime now, Effects& out);

  void flush(MonotonicTime now, SessionId session, Effects& out);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;
  [[nodiscard]] bool idle() const { return reads_.empty(); }

 private:
  struct Key {
    TaskId task;
    LogStream stream = LogStream::out;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Read {
    CallId call;
    std::uint64_t next_offset = 0;
    Attempt attempt;         // whose output that is; 0 = not known yet
    bool follow = false;     // go on when everything present has been read
    bool following = false;  // the last FETCH was one that pushes
    bool ask = true;         // a FETCH from next_offset is due
    bool paused = false;     // too much is unread
    std::size_t unread_bytes = 0;
    std::optional<std::uint64_t> gap_at;  // a gap here was asked for once already
    Correlation correlation;              // of the last FETCH
    MonotonicTime not_before;
  };
  using Reads = std::map<Key, Read>;

  // Goes back to catching up.
  static void ask_again(Read& read);
  static void cut_known(const Read& read, Chunk& chunk);
  // Turns to the output of a later attempt, or away from that of an earlier one.
  static void see_attempt(Read& read, Chunk& chunk);

  CorrelationSource& correlations_;
  Reads reads_;
};

}  // namespace taskpipe::client
