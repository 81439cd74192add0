// Keeps the journal in proportion to what lives in it: has the oldest segment's living tasks
// repeated at the end, a bounded number at a time, and lets the segment go once the copies are
// durable. Also tells the core whether there is room for submits.
//
// Knows neither sockets nor threads: the broker's loop and the simulator drive the same object.
#pragma once

#include <optional>
#include <vector>

#include "broker/core/broker_core.hpp"
#include "broker/core/command.hpp"
#include "broker/journal/journal.hpp"

namespace taskpipe::broker {

class JournalTender {
 public:
  // What the core has to be told after a look at the journal, appended to `commands`.
  void look(const JournalUsage& usage, const BrokerCore& core, std::vector<Command>& commands);
  // Below which the journal may forget its records, now that it is durable up to `durable`.
  [[nodiscard]] std::optional<Lsn> releasable(Lsn durable);
  // As of the last look.
  [[nodiscard]] bool accepts_submits() const { return last_usage_.accepts_submits; }
  // It has to look again soon, even if nothing else happens.
  [[nodiscard]] bool at_work() const { return carries_ || release_ || !accepts_submits(); }

 private:
  struct WaitingRelease {
    Lsn images_end;  // durable up to here, the images have replaced …
    Lsn below;       // … everything before this
  };

  std::optional<WaitingRelease> release_;
  JournalUsage last_usage_;
  bool carries_ = false;
};

}  // namespace taskpipe::broker
