// Results between the end of an attempt and the broker's acknowledgement.
//
//   add ──▶ storing ──SpoolStored──▶ ready ──RESULT──▶ sent ──RESULT_ACK──▶ forgotten
//             (processes only)          ▲                │
//                                       └────────────────┘ no acknowledgement in time, STORAGE,
//                                                          or RECONCILE asks for it again
//
// A result of a process may stand for hours of computing, so it is in a file before it is sent, and
// synced unless it is acknowledged soon. One of a handler stays in memory: if this process dies
// first, the lease runs out and the task runs again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/model/ids.hpp"
#include "common/model/messages.hpp"
#include "common/model/time.hpp"

namespace taskpipe::worker {

struct ResultBatch {
  Result result;
  bool resend = false;
};

class ResultOutbox {
 public:
  // From the spool of an earlier process: on disk, never sent by this one.
  void load(ResultItem result);
  // `storing`: not to be sent before `stored`.
  void add(ResultItem result, bool storing);
  void stored(const AttemptKey& attempt, bool kept);

  // A new HELLO. What must be listed in it, ordered; all of it waits for RECONCILE now, and is sent
  // anyway when that does not mention it in time.
  std::vector<AttemptKey> begin_session(MonotonicTime now);
  void resend(const AttemptKey& attempt);

  // The broker's verdict. True when the result is forgotten and its file, if any, may go.
  enum class Disposal : std::uint8_t { unknown, kept, forgotten, forgotten_on_disk };
  Disposal acknowledge(const AttemptKey& attempt, ErrorCode code);
  Disposal forget(const AttemptKey& attempt);

  // Everything that may leave now, cut into messages.
  void flush(MonotonicTime now, std::vector<ResultBatch>& out);
  [[nodiscard]] std::size_t ready() const { return ready_.size(); }  // about
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const { return resend_scan_at_; }

  [[nodiscard]] bool contains(const AttemptKey& attempt) const {
    return results_.contains(attempt);
  }
  [[nodiscard]] std::size_t size() const { return results_.size(); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  // No result would be lost if this process ended now.
  [[nodiscard]] bool all_on_disk() const { return in_memory_ == 0; }

 private:
  enum class Phase : std::uint8_t { storing, ready, sent };
  struct Pending {
    Outcome outcome;
    Phase phase = Phase::ready;
    bool on_disk = false;
    bool sent_before = false;
    MonotonicTime sent_at;
  };
  void make_ready(const AttemptKey& attempt, Pending& pending);
  void scan_for_resend(MonotonicTime now);

  std::unordered_map<AttemptKey, Pending> results_;
  std::deque<AttemptKey> ready_;  // may hold keys that were forgotten since
  std::uint64_t bytes_ = 0;
  std::size_t in_memory_ = 0;
  // Set while anything is sent and unacknowledged. One scan of all per interval costs less than an
  // ordered list that every result of a fast tool would pass through.
  std::optional<MonotonicTime> resend_scan_at_;
};

}  // namespace taskpipe::worker
