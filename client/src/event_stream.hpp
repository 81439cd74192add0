// Who has subscribed to which topics, and what each missed. Pure: the I/O thread owns the socket.
//
// Each message names the sequence number of the one before it on its topic, so that a gap shows at
// the next message; the broker's heartbeat lists the last number of every stream, so that it shows
// at most a second later also when no message follows. A new epoch counts as a gap of everything
// that is subscribed to, told at its first heartbeat or by an event that comes before that.
// Everybody who subscribed is told by EventBatch::gap. Silence beyond kSilence means that the
// connection is dead without TCP having noticed; it is then made anew.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/src/call.hpp"
#include "client/src/delivery.hpp"
#include "common/model/messages.hpp"
#include "common/model/time.hpp"

namespace taskpipe::client {

class EventStream {
 public:
  static constexpr std::string_view kHeartbeatTopic = "heartbeat.";
  static constexpr Millis kSilence{30'000};

  // Changes of what the socket subscribes to. `heartbeat.` is part of it while anybody subscribes.
  struct Changes {
    std::vector<std::string> added;
    std::vector<std::string> removed;
  };
  [[nodiscard]] Changes add(CallId call, std::vector<std::string> topics, MonotonicTime now);
  [[nodiscard]] Changes remove(CallId call);
  [[nodiscard]] std::vector<std::string> topics() const;  // of a new socket
  [[nodiscard]] bool empty() const { return calls_.empty(); }

  void on_events(const std::string& topic, Events&& events, MonotonicTime now, Effects& out);
  // Told by a watch instead of the event port: numbers are the watch's matter.
  void on_watched(const std::string& topic, Events&& events, bool gap, Effects& out) const;
  // The watch answers: what two heartbeats tell elsewhere.
  void on_watch_alive(Epoch epoch, Effects& out) const;
  // The socket is new: whatever was published meanwhile is lost.
  void on_reconnect(MonotonicTime now, Effects& out);

  // When the present socket counts as dead; nothing while nobody subscribes.
  [[nodiscard]] std::optional<MonotonicTime> silent_at() const;

 private:
  struct Position {
    Epoch epoch;
    std::uint64_t seq = 0;
  };
  void count_up(const std::string& topic, Changes& changes);
  void count_down(const std::string& topic, Changes& changes);
  void publish(std::string topic, Events&& events, bool gap, Effects& out) const;
  void check_positions(const Events& heartbeat, Effects& out);
  void tell_restart(Effects& out);

  std::map<CallId, std::vector<std::string>> calls_;
  std::map<std::string, std::size_t> subscriptions_;  // how many calls want each topic
  std::map<std::string, Position> positions_;         // of topics that were heard of
  std::optional<Epoch> epoch_;                        // of the last heartbeat, else the first event
  MonotonicTime last_heard_{};
};

}  // namespace taskpipe::client
