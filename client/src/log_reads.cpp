#include "client/src/log_reads.hpp"

#include <algorithm>
#include <utility>

#include "client/src/call_errors.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::client {
namespace {

template <class Reads>
auto find_call(Reads& reads, CallId call) {
  return std::find_if(reads.begin(), reads.end(),
                      [call](const auto& entry) { return entry.second.call == call; });
}

}  // namespace

bool LogReads::add(CallId call, const command::ReadLog& read) {
  Read entry;
  entry.call = call;
  entry.next_offset = read.offset;
  entry.follow = read.follow;
  return reads_.try_emplace(Key{read.task, read.stream}, entry).second;
}

void LogReads::forget(CallId call) {
  const auto found = find_call(reads_, call);
  if (found != reads_.end()) reads_.erase(found);
}

void LogReads::consumed(CallId call, std::size_t bytes) {
  const auto found = find_call(reads_, call);
  if (found == reads_.end()) return;
  Read& read = found->second;
  read.unread_bytes -= std::min(read.unread_bytes, bytes);
  if (read.paused && read.unread_bytes <= limits::kMaxUnreadLogBytes / 2) {
    read.paused = false;
    ask_again(read);
  }
}

void LogReads::on_welcome() {
  for (auto& [key, read] : reads_) {
    if (!read.paused) ask_again(read);
    read.not_before = MonotonicTime{};
  }
}

void LogReads::ask_again(Read& read) {
  read.ask = true;
  read.following = false;
}

void LogReads::cut_known(const Read& read, Chunk& chunk) {
  if (chunk.offset >= read.next_offset) return;
  const std::uint64_t end = chunk.offset + chunk.data.size();
  const std::uint64_t known = std::min(end, read.next_offset) - chunk.offset;
  chunk.data = Payload(chunk.data.bytes().subspan(static_cast<std::size_t>(known)));
  chunk.offset = read.next_offset;
}

void LogReads::see_attempt(Read& read, Chunk& chunk) {
  if (chunk.attempt > read.attempt) {
    if (read.attempt != Attempt{}) {
      read.next_offset = 0;
      read.gap_at.reset();
    }
    read.attempt = chunk.attempt;
  } else if (chunk.attempt < read.attempt) {
    chunk.attempt = read.attempt;
    chunk.offset = read.next_offset;
    chunk.data = Payload();
  }
}

std::optional<CallId> LogReads::on_chunk(Correlation correlation, Chunk&& chunk, Effects& out) {
  const auto found = reads_.find(Key{chunk.task, chunk.stream});
  if (found == reads_.end()) return std::nullopt;
  Read& read = found->second;
  // Chunks of an earlier FETCH may still be on their way; they would look like gaps.
  if (read.correlation != correlation || read.ask || read.paused) return std::nullopt;
  see_attempt(read, chunk);
  if (read.following && chunk.offset > read.next_offset && read.gap_at != read.next_offset) {
    read.gap_at = read.next_offset;
    ask_again(read);
    return std::nullopt;
  }
  // An answer that still starts further on means that what lies before is not kept any more.
  cut_known(read, chunk);
  const bool nothing_new = chunk.data.empty();
  const std::size_t bytes = chunk.data.size();
  const CallId call = read.call;
  read.next_offset = chunk.offset + bytes;
  read.unread_bytes += bytes;
  const bool last = chunk.eof || (nothing_new && !read.follow);
  if (last) {
    reads_.erase(found);
  } else if (read.unread_bytes > limits::kMaxUnreadLogBytes) {
    read.paused = true;
    read.following = false;
  } else if (!read.following) {
    read.ask = true;
    read.following = nothing_new;  // caught up: only `follow` comes here
  } else if (bytes >= limits::kMaxLogChunkBytes) {
    ask_again(read);  // a full chunk may be one of many, and of a task that has ended the only one
  }
  if (last || !nothing_new) out.deliver(call, delivery::LogArrived{std::move(chunk)}, last);
  return call;
}

void LogReads::on_error(Correlation correlation, const Error& error, MonotonicTime now,
                        Effects& out) {
  const auto found = std::find_if(reads_.begin(), reads_.end(), [correlation](const auto& entry) {
    return entry.second.correlation == correlation;
  });
  if (found == reads_.end()) return;
  if (error.code == ErrorCode::busy || error.code == ErrorCode::flow) {
    ask_again(found->second);
    found->second.not_before = now + Millis(error.retry_ms.value_or(limits::kBusyRetryMs));
    return;
  }
  const CallId call = found->second.call;
  reads_.erase(found);
  out.fail(call, refused(error));
}

void LogReads::flush(MonotonicTime now, SessionId session, Effects& out) {
  for (auto& [key, read] : reads_) {
    if (!read.ask || read.paused || now < read.not_before) continue;
    read.ask = false;
    read.correlation = correlations_.next(RequestKind::log);
    out.sends.push_back(
        Outgoing{Fetch{key.task, key.stream, read.next_offset, 0, read.following, read.attempt},
                 read.correlation, session});
  }
}

std::optional<MonotonicTime> LogReads::next_deadline() const {
  std::optional<MonotonicTime> next;
  for (const auto& [key, read] : reads_) {
    if (!read.ask || read.paused) continue;
    if (!next || read.not_before < *next) next = read.not_before;
  }
  return next;
}

}  // namespace taskpipe::client
