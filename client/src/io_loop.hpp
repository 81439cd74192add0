// The client's I/O thread, as other threads see it: what to ask of it, and how it ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "client/src/call_sink.hpp"
#include "client/src/call_table.hpp"
#include "client/src/endpoint.hpp"
#include "client/src/inbox.hpp"
#include "client/src/session_core.hpp"
#include "common/model/time.hpp"
#include "common/net/socket.hpp"

namespace taskpipe::client {

struct IoConfig {
  Endpoint broker;
  std::string wanted_events;  // of the user; empty = what the broker says
  SessionConfig session;
  std::optional<net::CurveClient> curve;
  Millis linger{0};        // how long `stop` waits for data that is on its way
  std::uint64_t seed = 0;  // of the jitter
};

class IoLoop {
 public:
  // Starts the thread. Throws std::system_error or zmq::error_t when the process has no threads or
  // descriptors left.
  explicit IoLoop(IoConfig config);
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;
  ~IoLoop();  // as `stop`

  // All of these: from any thread, without waiting; false after `stop`, and then nothing happens.
  bool begin(CallStart start, std::shared_ptr<CallSink> sink);
  // Ends a call with `why`, which is delivered like any other failure.
  bool abort(CallId call, ClientError why);
  // Ends a call without a word; its sink is let go. What is under way may still be delivered.
  bool forget(CallId call);
  bool log_consumed(CallId call, std::size_t bytes);
  bool watch_report(CallId call, const WatchReport& report);
  // Events that are published once the broker has noticed; ends by `forget`.
  bool subscribe(CallId call, std::vector<std::string> topics, std::shared_ptr<CallSink> sink);

  // For a blocking call of which little will be delivered: turns the loop on the calling thread
  // while that is all there is to do. Construct it before the call is begun; `take` as Inbox::take,
  // on the same thread. It, the loop and the inbox must outlive each other in that order.
  class Ride {
   public:
    Ride(IoLoop& loop, Inbox& inbox, bool willing);
    Ride(const Ride&) = delete;
    Ride& operator=(const Ride&) = delete;
    ~Ride();
    [[nodiscard]] bool take(std::vector<Inbox::Item>& out, const std::stop_token& stop,
                            const std::function<bool()>& keep_waiting);

   private:
    bool turn_until_something(const std::stop_token& stop, std::optional<Millis> longest);
    void leave();

    IoLoop& loop_;
    Inbox& inbox_;
    bool driving_ = false;
    bool asked_ = false;
  };

  // Fails every call with CallFailure::closed and ends the thread. Blocks for at most the linger
  // time and one look-up of the broker's name. Later calls wait for the first. Not from a sink.
  void stop();

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

}  // namespace taskpipe::client
