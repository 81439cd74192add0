// Holds what clients and tools have seen against the promise, in its own words: it shares no code
// with the broker, the worker or the client.
//
//   an acknowledged submit survives: every acknowledged task has an end, and nobody is told that it
//     does not exist;
//   it runs at least once: a success was really produced by a run of that very attempt;
//   exactly one terminal result: whoever asks, and whenever, hears the same end;
//   an attempt is a fence: no attempt begins twice;
//   order: nothing begins before what it depends on has had a chance to end, and nothing of a
//     workflow that cancels its dependents runs after a failure before it;
//   a cancel counts: once promised for a task that had not ended, the task ends cancelled, and no
//     further attempt of it begins after a while;
//   nothing hangs: every submit is answered;
//   a refusal counts: what was refused for certain never runs.
#pragma once

#include <string>
#include <vector>

#include "tests/simulation/ledger.hpp"

namespace taskpipe::simulation {

struct CheckLimits {
  // How long after a promised cancel an attempt may still begin: what the broker had sent out
  // before may be under way for as long as a partition holds.
  Millis cancel_latency{0};
};

// What is wrong, one sentence each, at most a handful; empty when all is well. The ledger must end
// with an audit: after all faults have healed, somebody asked for the end of every task that was
// acknowledged. O(facts × log tasks).
[[nodiscard]] std::vector<std::string> check(const Ledger& ledger, const CheckLimits& limits);

}  // namespace taskpipe::simulation
