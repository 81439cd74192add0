// Holds what clients and tools have seen against the promise, in its own words: it shares no code
// with the broker, the worker or the client.
//
//   an acknowledged submit survives: every acknowledged task has an end, and nobody is told that it
//     does not exist;
//   who kills its workers is stopped, and nobody else for it: a task that does so each time has run
//     at most once more often than it may be lost, and where nothing else is wrong only such a task
//     ends in error;
//   it runs at least once: a success or a failure was really produced by a run of that very
//     attempt; only what somebody cancelled, or what depended on a task that did not succeed, ends
//     cancelled; only what has been lost too often ends in error;
//   exactly one terminal result: whoever asks, and whenever, hears the same end, and nothing runs
//     again after it;
//   an attempt is a fence: no attempt begins twice, no number is used twice;
//   order: nothing begins before what it depends on has ended, and nothing of a workflow that
//     cancels its dependents runs after a task before it that did not succeed;
//   a cancel counts: once promised for a task that had not ended, the task ends cancelled, what
//     runs of it is stopped, and nothing of it begins after a while;
//   failures are tried again: no task ends in failure before it has failed as often as it may, and
//     in calm weather none fails more often, nor begins again before its backoff is over; a task
//     that ends because nobody took it has waited its queue time;
//   a refusal counts: what was refused for certain never runs;
//   nothing hangs: every submit and every wait is answered.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulation/ledger.hpp"

namespace taskpipe::simulation {

struct CheckLimits {
  // How long what the broker knows may take to reach a worker: what was sent out before may be
  // under way for as long as partitions hold and processes stand still.
  Millis latency{0};
  // How many attempts of a task may be lost before it may end in error.
  std::uint32_t most_losses = 0;
  // Nothing was wrong at any time: every task runs exactly once, or never when it was cancelled.
  bool calm = false;
  // Nothing is wrong but that some tasks kill the workers that run them.
  bool poison = false;
  // The wall clock is stepped: a wait that goes on over a restart of the broker may end early.
  bool clock_steps = false;
};

// What is wrong, one sentence each, at most a handful; empty when all is well. The ledger must end
// with an audit: after all faults have healed, somebody asked for the end of every task that was
// acknowledged. O(facts × log tasks).
[[nodiscard]] std::vector<std::string> check(const Ledger& ledger, const CheckLimits& limits);

}  // namespace taskpipe::simulation
