// Streams of changes watched over the client port: what the session does for `Client::follow`.
//
// Each is asked for from where it stands, once per session, and again when a snapshot has replaced
// what the broker no longer has. Messages are handed on as they come: who merges them (the
// StreamMerge of the call) knows what is new. Credit follows what the call has consumed, so that a
// slow caller stops the broker, not the other way round.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "client/src/call.hpp"
#include "client/src/correlation.hpp"
#include "client/src/delivery.hpp"
#include "common/model/messages.hpp"
#include "common/model/time.hpp"

namespace taskpipe::client {

class Watches {
 public:
  explicit Watches(CorrelationSource& correlations) : correlations_(correlations) {}

  void add(CallId call, command::Watch watch);
  void forget(CallId call);
  void report(CallId call, const WatchReport& report);

  // A new session: everything is asked for anew. Numbers mean nothing to a broker with other data.
  void on_welcome(const Welcome& welcome);
  // False when nothing was asked under this correlation: then nothing happened.
  bool on_events(Correlation correlation, Events&& events, Effects& out);
  bool on_snap(Correlation correlation, Snap&& snap, Effects& out);
  void on_error(Correlation correlation, const Error& error, MonotonicTime now, Effects& out);

  void flush(MonotonicTime now, SessionId session, Effects& out);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;

 private:
  struct Watched {
    StreamFilter filter;
    bool progress = false;
    std::optional<std::uint64_t> after;  // everything up to here has come
    std::optional<Epoch> epoch;          // in which that number was told
    std::optional<BrokerUuid> broker;    // that told it
    bool only_position = false;          // ends with the first page of a snapshot
    bool paused = false;                 // something else tells the same for now

    bool listing = false;               // takes a snapshot
    std::uint64_t cursor = 0;           // of its next page
    std::optional<std::uint64_t> base;  // number of its first page

    bool ask = true;  // a message is due
    Correlation correlation;
    std::uint64_t received = 0;  // under this correlation
    std::uint64_t granted = 0;
    std::size_t unread = 0;  // deliveries that the caller has not taken
    MonotonicTime not_before;
  };
  [[nodiscard]] std::map<CallId, Watched>::iterator find(Correlation correlation);
  static void begin_listing(Watched& watched);
  void end_watch(Watched& watched);
  void ask(Watched& watched, SessionId session, Effects& out);
  void grant(Watched& watched, SessionId session, Effects& out);

  CorrelationSource& correlations_;
  std::map<CallId, Watched> watched_;
  std::vector<Correlation> ended_;  // the broker is to be told
  BrokerUuid broker_;               // of the present session
};

}  // namespace taskpipe::client
