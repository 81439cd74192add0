// Output of running attempts on its way to the broker. LOG is never acknowledged, so a PONG bounds
// it instead: whatever was sent before a PING has been read once its PONG is back. What exceeds the
// bound is dropped, and the gap in the offsets shows it; the whole output stays in the attempt's
// files and can be fetched.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "common/model/messages.hpp"

namespace taskpipe::worker {

class LogOutbox {
 public:
  void add(LogItem item) { items_.push_back(std::move(item)); }
  // Nobody listens: drops what was collected.
  void drop();
  // A new session: nothing is in flight.
  void restart();

  // Everything collected, cut into messages.
  void flush(std::vector<Log>& out);
  [[nodiscard]] bool empty() const { return items_.empty(); }
  // Enough is in flight to ask for a PONG before the next heartbeat.
  [[nodiscard]] bool wants_ping() const;
  void on_ping(std::uint64_t t) { marks_.push_back({t, sent_bytes_}); }
  void on_pong(std::uint64_t t);

  [[nodiscard]] std::uint64_t dropped_bytes() const { return dropped_bytes_; }

 private:
  struct Mark {
    std::uint64_t t = 0;
    std::uint64_t sent_bytes = 0;
  };
  std::vector<LogItem> items_;
  std::deque<Mark> marks_;  // PINGs without a PONG yet
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t read_bytes_ = 0;  // of these, surely read by the broker
  std::uint64_t dropped_bytes_ = 0;
};

}  // namespace taskpipe::worker
