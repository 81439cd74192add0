// What the core asked for and the journal does not allow yet: messages and events wait here until
// the record that they may reveal is durable.
//
// Knows neither sockets nor threads: the broker's loop and the simulator drive the same object.
#pragma once

#include <cstddef>
#include <deque>
#include <utility>
#include <variant>

#include "broker/core/effect.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::broker {

class DurabilityGate {
 public:
  using Outbound = std::variant<Send, Publish>;

  // Takes what `effects` wants sent and published; the rest is left. What reveals nothing
  // goes to `deliver` at once: it overtakes nobody of importance, since only PONG and refusals are
  // of that kind.
  template <class Deliver>
  void take(Effects& effects, Deliver&& deliver) {
    for (auto& send : effects.sends) {
      if (send.reveals.value() == 0) {
        deliver(Outbound(std::move(send)));
      } else {
        outbound_.push_back({send.reveals, std::move(send)});
      }
    }
    for (auto& publish : effects.events) {
      // Lossy as the channel is: while the disk hangs, news of progress may not fill the memory.
      if (waiting_events_ >= limits::kMaxWaitingEvents) break;
      ++waiting_events_;
      outbound_.push_back({publish.reveals, std::move(publish)});
    }
  }

  // What may leave now that the journal is durable up to `durable`, in order. `deliver` may give
  // rise to new commands, but must not call back.
  template <class Deliver>
  void release(Lsn durable, Deliver&& deliver) {
    while (!outbound_.empty() && outbound_.front().reveals <= durable) {
      Outbound what = std::move(outbound_.front().what);
      outbound_.pop_front();
      if (std::holds_alternative<Publish>(what)) --waiting_events_;
      deliver(std::move(what));
    }
  }
  [[nodiscard]] bool empty() const { return outbound_.empty(); }

 private:
  struct Waiting {
    Lsn reveals;
    Outbound what;
  };

  std::deque<Waiting> outbound_;  // ordered by `reveals`
  std::size_t waiting_events_ = 0;
};

}  // namespace taskpipe::broker
