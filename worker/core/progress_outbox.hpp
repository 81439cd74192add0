// Progress between the executors and PROGRESS messages: per attempt only the latest is kept, and it
// leaves at most once per limits::kProgressIntervalMs.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "common/model/ids.hpp"
#include "common/model/messages.hpp"
#include "common/model/time.hpp"
#include "worker/exec/executor.hpp"

namespace taskpipe::worker {

class ProgressOutbox {
 public:
  // Adds what one line told to what is pending: percent and message are replaced where the line has
  // them, metrics by name. What may not travel (NaN, invalid UTF-8, excess length) is left out.
  void merge(const AttemptKey& attempt, const ParsedLine& line);
  // The attempt ended: what is pending is of no interest beside the result.
  void forget(const AttemptKey& attempt);

  // Moves what is due into messages.
  void flush(MonotonicTime now, std::vector<Progress>& out);
  // Nothing while nothing is pending.
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;

 private:
  struct Slot {
    ProgressItem pending;
    bool dirty = false;
    std::optional<MonotonicTime> last_sent;
  };
  [[nodiscard]] static MonotonicTime due(const Slot& slot);

  std::unordered_map<AttemptKey, Slot> slots_;
  std::vector<AttemptKey> dirty_;  // in the order in which they became so
};

}  // namespace taskpipe::worker
