// What every simulated process shares.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulation/ledger.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/random.hpp"
#include "tests/simulation/scheduler.hpp"

namespace taskpipe::simulation {

// Counted over a run, for its report.
struct Counters {
  std::uint64_t broker_kills = 0;
  std::uint64_t power_losses = 0;
  std::uint64_t disk_faults = 0;
  std::uint64_t full_disks = 0;
  std::uint64_t broker_pauses = 0;
  std::uint64_t worker_kills = 0;
  std::uint64_t worker_pauses = 0;
  std::uint64_t worker_drains = 0;
  std::uint64_t poisoned_workers = 0;  // killed by what they ran
  std::uint64_t recalls = 0;           // of unstarted work
  std::uint64_t client_kills = 0;
  std::uint64_t clock_steps = 0;
  std::uint64_t commands = 0;  // applied to the broker's core
  std::uint64_t records_cut = 0;
  std::uint64_t segments_released = 0;
};

struct World {
  Scheduler scheduler;
  Random random;
  Network network;
  Ledger ledger;
  Counters counters;
  // What the parts themselves found wrong (a broken invariant, a journal that refuses its own
  // files): as grave as what the checker finds.
  std::vector<std::string> defects;
  bool verbose = false;
  bool poison = false;  // some tasks kill whoever runs them

  explicit World(std::uint64_t seed) : random(seed), network(scheduler, random.fork()) {}

  void record(const Fact& fact);
  void defect(std::string what) {
    if (defects.size() < 8) defects.push_back(std::move(what));
  }
  // A line of the run's story, with --verbose.
  void tell(const char* who, const std::string& what) const;
};

}  // namespace taskpipe::simulation
