// A broker in virtual time: the real core, the real journal on a disk that fails, the turn of the
// real loop. Only sockets, files, threads and the clock are replaced.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/core/broker_core.hpp"
#include "broker/shell/durability_gate.hpp"
#include "broker/shell/journal_tender.hpp"
#include "tests/simulation/world.hpp"
#include "tests/support/fake_disk.hpp"
#include "tests/support/memory_history.hpp"
#include "tests/support/stepped_journal.hpp"

namespace taskpipe::simulation {

class BrokerProcess {
 public:
  BrokerProcess(World& world, broker::BrokerConfig config);

  // Starts, or keeps trying until the disk lets it.
  void start();
  [[nodiscard]] bool running() const { return core_ != nullptr; }

  // --- Faults ---
  void kill();                 // kill -9: what was written is still with the system
  void lose_power();           // what was not synced may be gone
  void pause(Nanos duration);  // SIGSTOP … SIGCONT
  void fail_disk(std::uint64_t after_operations, int code);
  void cut_power_in(std::uint64_t operations);
  void set_disk_capacity(std::uint64_t bytes) { disk_.set_capacity(bytes); }
  [[nodiscard]] std::uint64_t disk_bytes() const;
  void stall_disk(Nanos duration);  // a sync that takes that long

  // Ended tasks as the history keeps them, for the checker's comparison.
  [[nodiscard]] const testing::MemoryHistory& history() const { return history_; }

 private:
  void begin(broker::Effects effects);
  void restart_later();
  void end(bool silently);
  void receive(const broker::Peer& peer, const Packet& packet);
  void wake_at(MonotonicTime when);
  void turn();
  void apply(broker::Command command, const Now& now);
  void carry_out();
  void release_durable();
  void deliver(broker::DurabilityGate::Outbound what);
  void schedule_commit();
  void commit();
  void look_up(const broker::HistoryLookup& lookup);
  void answer(const broker::HistoryLookup& lookup);
  void store_next();
  void fail(const std::string& why);

  World& world_;
  broker::BrokerConfig config_;
  Random random_;
  testing::FakeDisk disk_;
  testing::MemoryHistory history_;
  std::uint64_t starts_ = 0;
  MonotonicTime disk_stalled_until_;

  // Of the present process.
  Life life_;
  std::unique_ptr<broker::BrokerCore> core_;
  std::unique_ptr<testing::SteppedJournal> journal_;
  broker::DurabilityGate gate_;
  broker::JournalTender tender_;
  broker::Effects effects_;
  std::deque<broker::Command> inbox_;
  std::vector<broker::Command> news_;
  std::deque<broker::HistoryBatch> to_store_;
  std::optional<MonotonicTime> wake_;
  MonotonicTime paused_until_;
  Now before_;
  std::optional<Millis> allowed_;
  MonotonicTime tended_;
  bool committing_ = false;
  bool storing_ = false;
};

}  // namespace taskpipe::simulation
