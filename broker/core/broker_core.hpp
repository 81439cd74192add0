// The broker as a deterministic state machine: commands in, effects out.
//
// No I/O, no clock, no randomness, no log: the same code runs behind sockets, in golden scenarios
// and in simulations. A broker's life:
//
//   BrokerCore core(config);
//   for each retained record: core.replay(record, lsn);
//   core.start(epoch, uuid, history_position, now, effects);       // then carry the effects out
//   forever: apply each command of a loop turn, apply TurnEnded, carry the effects out
//
// Thread: one. Cost: every command is O(its items × log), independent of how many tasks are queued.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "broker/core/broker_config.hpp"
#include "broker/core/command.hpp"
#include "broker/core/effect.hpp"
#include "broker/core/record.hpp"
#include "common/model/time.hpp"

namespace taskpipe::broker {

struct State;

// How far the history reaches, as it says when it is opened.
struct HistoryPosition {
  Lsn watermark;         // what ended at or below it is there, and leaves memory
  Arrival last_arrival;  // the highest arrival number in it: numbers are not used twice
};

class BrokerCore {
 public:
  explicit BrokerCore(BrokerConfig config);
  BrokerCore(const BrokerCore&) = delete;
  BrokerCore& operator=(const BrokerCore&) = delete;
  ~BrokerCore();

  // Before `start`: the retained records, in order.
  void replay(const Record& record, Lsn lsn);

  // Begins a new epoch. `epoch` must be above every replayed one; `broker` names the data folder.
  // Tasks that were placed wait one lease for their workers.
  void start(Epoch epoch, BrokerUuid broker, const HistoryPosition& history, const Now& now,
             Effects& effects);

  // Instead of `start`, for a broker whose disk takes no more: keeps the last epoch and makes no
  // record, ever. Questions are answered as of the end of the journal; submits and cancels are
  // refused with STORAGE and `why`, which names the remedy. The caller owes that no worker
  // connects.
  void start_read_only(std::string why, const HistoryPosition& history, const Now& now,
                       Effects& effects);

  // Total: never throws for what a peer can cause, never blocks. Appends to `effects`.
  void apply(Command command, const Now& now, Effects& effects);

  // When TurnEnded is due at the latest; becomes the poll timeout.
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;

  // Records below this are needed no more: the journal may recycle them.
  [[nodiscard]] Lsn oldest_needed() const;
  [[nodiscard]] Lsn last_lsn() const;
  [[nodiscard]] Epoch epoch() const;
  // In memory: live ones, and ended ones that the history does not have yet.
  [[nodiscard]] std::size_t tasks_held() const;
  // Of them: those that have ended.
  [[nodiscard]] std::size_t tasks_ended() const;
  // About what all of them take in the journal.
  [[nodiscard]] std::uint64_t live_bytes() const;
  // What they and everything else that is held take in memory, about.
  [[nodiscard]] std::uint64_t memory_bytes() const;

  // What placing has cost so far: heads of queues and workers that were looked at, since the start.
  [[nodiscard]] std::uint64_t placement_looks() const;
  // Distinct requirements that are remembered.
  [[nodiscard]] std::size_t signatures_held() const;

  // What is wrong with the state, or nothing. O(state): for tests, simulation and debug builds.
  [[nodiscard]] std::optional<std::string> check_invariants() const;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace taskpipe::broker
