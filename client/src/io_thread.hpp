// The shell of the client: owns the sockets and carries out what the session core and the event
// stream decide.
//
//   callers ──Mailbox──▶ ┌ I/O thread ┐ ◀──▶ DEALER (broker)
//   sinks   ◀─deliver──  └────────────┘ ◀─── SUB (events)
//
// Sockets and core move to another thread where the seat does (io_seat.hpp); a lock lies in
// between, as libzmq asks for.
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
#include "client/src/io_seat.hpp"
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
struct Look {};  // at what the caller that turns the loop has been asked for
struct Stop {};
}  // namespace request

using IoRequest =
    std::variant<request::Begin, request::Abort, request::Forget, request::LogConsumed,
                 request::ReportWatch, request::Subscribe, request::Look, request::Stop>;

// Calls of the thread itself are numbered from here on.
inline constexpr std::uint64_t kInternalCalls = 1ULL << 63U;

class IoThread {
 public:
  IoThread(IoConfig config, process::Mailbox<IoRequest>& mailbox, IoSeat& seat);
  // Until request::Stop. On a thread of its own, which turns the loop whenever no caller does.
  void run();

  // Of a caller that has the seat.
  // Waits until something is readable or due, or for `longest`, and does it; but opens no
  // connection, which may wait for a name server. Whatever goes wrong within ends the process, as
  // it does on the own thread: other calls would be left half done.
  void turn(std::optional<Millis> longest) noexcept;
  // There is a session, and one call at most.
  [[nodiscard]] bool suits_a_caller() const {
    return !stopping_ && core_.link().ready() && sinks_.size() <= 1;
  }
  // Nothing is open or posted, and nothing was left to the own thread.
  [[nodiscard]] bool idle() const { return suits_a_caller() && sinks_.empty() && mailbox_.empty(); }

 private:
  struct Apply;  // carries out each kind of request

  void wait(std::optional<Millis> longest);
  void work();
  [[nodiscard]] bool has_news(std::optional<std::size_t> place) const;
  // When the events' connection has to be made anew, unless something is heard before.
  [[nodiscard]] std::optional<MonotonicTime> events_silent_at() const;
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
  IoSeat& seat_;
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
  struct Places {                      // in it
    std::optional<std::size_t> broker;
    std::optional<std::size_t> handshakes;
    std::optional<std::size_t> events;
  } places_;
  std::unordered_map<CallId, std::shared_ptr<CallSink>> sinks_;
  Effects effects_;
  MonotonicTime now_{};
  bool stopping_ = false;
  bool on_own_thread_ = true;
  // Reused from turn to turn.
  std::vector<IoRequest> requests_;
  net::ReceivedMessage received_;
};

}  // namespace taskpipe::client
