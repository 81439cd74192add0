// Submits on their way: batching, the broker's credit, resending until acknowledged.
//
// Order is kept as far as nothing is refused: what was sent before is repeated before anything new
// leaves. Within a session a message that was sent stays one message, with its correlation, until
// every item in it is answered: acknowledgements are matched within it, so that no table of all ids
// is needed. Items that the broker is too busy for, and everything unanswered when a new session
// begins, go back to the head of the queue.
//
// While the broker has no room for tasks, one message at a time asks whether it has any again: a
// client that repeated its whole window would burden a broker that is busy already.
//
// Credit counts what is sent in this session, repetitions included, exactly as the broker counts
// what it receives. Only an acknowledgement can raise it, so with nothing in flight one message may
// always leave: the two sides cannot lock each other out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "client/src/backoff.hpp"
#include "client/src/batch_builder.hpp"
#include "client/src/call.hpp"
#include "client/src/correlation.hpp"
#include "client/src/delivery.hpp"
#include "client/src/wait_table.hpp"
#include "common/model/messages.hpp"
#include "common/model/time.hpp"

namespace taskpipe::client {

class SubmitQueue {
 public:
  SubmitQueue(CorrelationSource& correlations, Jitter& jitter, WaitTable& waits)
      : correlations_(correlations), jitter_(jitter), waits_(waits) {}

  void add(CallId call, std::vector<PreparedTask> tasks);
  // Of a run (WaitTable::add_run): the broker is asked to wait as well. What is accepted is not
  // told, and the call goes on until each of its tasks has an answer.
  void add_run(CallId call, std::vector<PreparedTask> tasks);
  // Runs of which everything is answered, since the last question.
  [[nodiscard]] std::vector<CallId> take_submitted_runs() {
    return std::exchange(submitted_runs_, {});
  }

  // Gives up what is left of these calls, each for its own reason: one TaskRefused per item, which
  // says so when the item may have been accepted. O(everything open), however many calls.
  void fail(const std::unordered_map<CallId, ClientError>& calls, Effects& out);
  // As `fail`, without deliveries.
  void forget(CallId call);

  // A new session: its credit and bounds; everything unacknowledged leaves again first.
  void on_welcome(const Welcome& welcome, MonotonicTime now);
  void on_ack(Correlation correlation, const SubmitAck& ack, MonotonicTime now, Effects& out);
  // Of a whole message. BUSY, FLOW and SHUTTING_DOWN are tried again, all else is final.
  void on_error(Correlation correlation, const Error& error, MonotonicTime now, Effects& out);

  // Sends what may leave now. Only while there is a session.
  void flush(MonotonicTime now, SessionId session, Effects& out);
  // When to flush again if nothing happens before.
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;
  // Why the broker takes nothing at present; nothing = it does, as far as known.
  [[nodiscard]] const std::optional<Error>& held_back() const { return held_back_; }
  [[nodiscard]] bool idle() const { return queue_.empty() && in_flight_.empty(); }

 private:
  struct Entry {
    PreparedTask task;
    CallId call;
    std::uint32_t index = 0;  // within the call
    bool doubtful = false;    // an earlier sending was never answered: it may have been accepted
    bool held_back = false;   // refused for now; whoever knows the id may have been quicker since
    bool run = false;         // waited for

    // What may be is looked for in the history, which costs a busy broker more than the task does.
    [[nodiscard]] bool may_be_known() const;
    // The flags RESEND and `wait` are the whole message's.
    [[nodiscard]] bool fits_with(const Entry& other) const {
      return may_be_known() == other.may_be_known() && run == other.run;
    }
  };
  struct Batch {
    std::vector<Entry> entries;  // unanswered ones, in the order of sending
    MonotonicTime due;           // when it is sent again
    std::uint32_t sendings = 0;
  };
  using InFlight = std::map<Correlation, Batch>;  // of this session, in the order of sending

  void resend_due(MonotonicTime now, SessionId session, Effects& out);
  void send_fresh(MonotonicTime now, SessionId session, Effects& out);
  void send(Correlation correlation, Batch& batch, BatchBuilder& builder, MonotonicTime now,
            SessionId session, Effects& out);
  // The one message that asks a busy broker is on its way.
  [[nodiscard]] bool asks_once() const { return held_back_ && !in_flight_.empty(); }
  [[nodiscard]] bool credit_allows(std::size_t items, std::size_t bytes) const;
  void add(CallId call, std::vector<PreparedTask> tasks, bool run);
  void settle(Entry& entry, ErrorCode code, const std::optional<Error>& error,
              std::vector<Entry>& again, Effects& out);
  void accepted(const Entry& entry, Effects& out);
  void refused_item(const Entry& entry, ClientError error, Effects& out);
  [[nodiscard]] bool count_down(CallId call);
  void requeue(std::vector<Entry> entries, const std::optional<Error>& error, MonotonicTime now);
  void erase(InFlight::iterator batch);

  CorrelationSource& correlations_;
  Jitter& jitter_;
  WaitTable& waits_;
  std::deque<Entry> queue_;
  InFlight in_flight_;
  std::set<std::pair<MonotonicTime, Correlation>> due_;
  std::unordered_map<CallId, std::size_t> unsettled_;  // items per call
  std::vector<CallId> submitted_runs_;
  BatchLimits limits_;
  std::uint64_t granted_items_ = 0;
  std::uint64_t granted_bytes_ = 0;
  std::uint64_t sent_items_ = 0;
  std::uint64_t sent_bytes_ = 0;
  bool short_of_credit_ = false;  // as of the last flush; an acknowledgement will change it
  MonotonicTime paused_until_{};  // the broker asked for it
  std::optional<Error> held_back_;
};

}  // namespace taskpipe::client
