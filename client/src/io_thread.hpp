// The shell of the client: owns the sockets and carries out what the session core and the event
// stream decide.
//
//   callers ──Mailbox──▶ ┌ I/O thread ┐ ◀──▶ DEALER (broker)
//   sinks   ◀─deliver──  └────────────┘ ◀─── SUB (events)
//
// One turn: wait until something is readable or due, drain a bounded number of messages of each
// kind, end the turn, then carry out socket changes, sends and deliveries. Requests of one turn
// share messages; nothing waits for a timer to be sent.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "client/src/event_stream.hpp"
#include "client/src/io_loop.hpp"
#include "common/net/poll_loop.hpp"
#include "common/net/socket.hpp"
#include "common/process/mailbox.hpp"

namespace taskpipe::client {

// What other threads ask of the I/O thread.
namespace request {
struct Begin {
  CallStart start;
  std::shared_ptr<CallSink> sink;
};
struct Abort {
  CallId call;
  ClientError why;
};
struct Forget {
  CallId call;
};
struct LogConsumed {
  CallId call;
  std::size_t bytes = 0;
};
struct ReportWatch {
  CallId call;
  WatchReport report;
};
struct Subscribe {
  CallId call;
  std::vector<std::string> topics;
  std::shared_ptr<CallSink> sink;
};
struct Stop {};
}  // namespace request

using IoRequest =
    std::variant<request::Begin, request::Abort, request::Forget, request::LogConsumed,
                 request::ReportWatch, request::Subscribe, request::Stop>;

// Calls of the thread itself are numbered from here on.
inline constexpr std::uint64_t kInternalCalls = 1ULL << 63U;

class IoThread {
 public:
  IoThread(IoConfig config, process::Mailbox<IoRequest>& mailbox);
  // Until request::Stop. On the thread that is to own the sockets.
  void run();

 private:
  struct Apply;  // carries out each kind of request

  void wait();
  void drain_mailbox();
  void drain_broker();
  void drain_events();
  void carry_out();
  void change_socket(SocketChange change);
  void send(const Outgoing& outgoing);
  void deliver(Delivered&& delivered);
  void connect_events(const Welcome& welcome);
  void reopen_events();
  void subscribe(const EventStream::Changes& changes);
  void say_goodbye();
  void judge_handshakes();
  // Of a client that has no event port: topics are served by a watch.
  void watch_events();
  void end_watch();
  void take_watched(Delivery&& what, bool last);

  IoConfig config_;
  process::Mailbox<IoRequest>& mailbox_;
  std::unique_ptr<net::Context> context_;  // gone, with its data, when `run` returns
  SessionCore core_;
  EventStream stream_;
  std::unique_ptr<net::DealerSocket> dealer_;
  std::unique_ptr<net::SubSocket> sub_;
  std::string sub_endpoint_;
  net::HandshakeJudge judge_;
  bool watches_events_ = false;          // the event port is not for this client
  CallId watch_{kInternalCalls};         // the newest one
  std::optional<StreamFilter> watched_;  // by it; nothing = it has ended
  std::optional<std::uint64_t> watched_seq_;
  std::optional<net::Poller> poller_;  // made anew with every change of sockets
  std::unordered_map<CallId, std::shared_ptr<CallSink>> sinks_;
  Effects effects_;
  MonotonicTime now_{};
  bool stopping_ = false;
  // Reused from turn to turn.
  std::vector<IoRequest> requests_;
  net::ReceivedMessage received_;
};

}  // namespace taskpipe::client
