// The session core: everything that a client decides, without a socket, a thread or a clock.
//
//   calls and messages in ──▶ SessionCore ──▶ effects out (socket, sends, deliveries, welcome)
//
// It decides what is sent when, what is repeated after a reconnect, who gets which answer and which
// call has run out of time. The I/O thread (io_loop.hpp) carries the effects out; tests do so by
// hand. Requests are collected and leave in `end_turn`, so that whatever happened in one turn of
// the loop shares messages. One thread; nothing blocks; O(log open calls) per event unless said.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/src/call_table.hpp"
#include "client/src/correlation.hpp"
#include "client/src/delivery.hpp"
#include "client/src/link.hpp"
#include "client/src/log_reads.hpp"
#include "client/src/request_table.hpp"
#include "client/src/submit_queue.hpp"
#include "client/src/wait_table.hpp"
#include "client/src/watches.hpp"
#include "client/src/workflow_uploads.hpp"
#include "common/model/messages.hpp"
#include "common/model/time.hpp"

namespace taskpipe::client {

struct SessionConfig {
  std::string broker;  // the address, for error texts
  Hello hello;         // who this client is; `last_epoch` is kept by the core
  Millis connect_timeout{limits::kConnectTimeoutMs};
};

// What the core needs to know of a received header.
struct Received {
  SessionId session;
  Correlation correlation;
};

class SessionCore {
 public:
  SessionCore(SessionConfig config, std::uint64_t seed);
  SessionCore(const SessionCore&) = delete;
  SessionCore& operator=(const SessionCore&) = delete;

  // Calls. `id` was never used before.
  void begin(CallStart start, MonotonicTime now, Effects& out);
  // Nothing more is delivered to this call. What it asked for may still happen.
  void forget(CallId call);
  // Ends the call with `why`, as a timeout would.
  void abort(CallId call, ClientError why, Effects& out);
  void log_consumed(CallId call, std::size_t bytes);
  void watch_report(CallId call, const WatchReport& report);

  // What the sockets brought.
  void on_message(const Received& header, Message&& message, MonotonicTime now, Effects& out);
  // Frames that the codec refused; `header` when at least that could be read.
  void on_malformed(const std::optional<Received>& header, const Error& error, MonotonicTime now,
                    Effects& out);
  // A send was refused by the socket: nobody is connected, or nothing more fits.
  void on_unsendable(MonotonicTime now, Effects& out);
  // The address cannot be used ("no such host"). Fatal before the first session, since it is most
  // likely misspelt; later a name service may be having an outage, and it is tried again.
  // The broker does not admit this client, or is not the one that was meant: every call fails, the
  // next one tries again.
  void on_refused_handshake(const Error& error, Effects& out);
  void on_unconnectable(const Error& error, MonotonicTime now, Effects& out);
  // A message of ours could not be encoded; it was not sent.
  void on_unencodable(Correlation correlation, const Error& error, MonotonicTime now, Effects& out);

  // Timers, then everything that may leave. Once per turn of the loop, after all of the above.
  void end_turn(MonotonicTime now, Effects& out);
  // When `end_turn` is due although nothing happens.
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;

  // Fails every open call and each later one.
  void close(ClientError why, Effects& out);

  [[nodiscard]] const Link& link() const { return link_; }

 private:
  struct Start;    // begins each kind of command
  struct Receive;  // handles each kind of message

  void on_news(Link::News news, MonotonicTime now, Effects& out);
  void on_session_began(MonotonicTime now, Effects& out);
  void route_error(Correlation correlation, const Error& error, MonotonicTime now, Effects& out);
  void fail(const std::unordered_map<CallId, ClientError>& calls, Effects& out);
  void fail_all(const ClientError& why, Effects& out);
  void expire(MonotonicTime now, Effects& out);
  // What keeps the broker from taking what the call submits, when it has said so.
  [[nodiscard]] std::optional<Error> held_back(CallId id, const CallTable::Call& call) const;
  // Forgets the calls that `out` ends, from delivery number `from` on.
  void settle(std::size_t from, const Effects& out);

  SessionConfig config_;
  Jitter jitter_;
  CorrelationSource correlations_;
  Link link_;
  CallTable calls_;
  WaitTable waits_;
  SubmitQueue submits_;
  WorkflowUploads uploads_;
  RequestTable requests_;
  LogReads logs_;
  Watches watches_;
  std::vector<CallId> connects_;  // wait for a session and nothing else
  std::optional<ClientError> closed_;
  std::size_t malformed_ = 0;  // in this session
};

}  // namespace taskpipe::client
