// The ledger, sorted by tasks: what was seen of each, with the time at which it was seen.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/ledger.hpp"

namespace taskpipe::simulation {

struct Run {
  AttemptKey attempt;
  std::uint32_t node = 0;
  MonotonicTime began;
  std::optional<MonotonicTime> ended{};  // by itself, stopped, or with its node
  std::optional<fact::Ran> result{};     // unless its node died
};

struct End {
  MonotonicTime seen;
  fact::EndSeen what;
};

struct Life {
  std::optional<fact::Submitted> submitted;
  MonotonicTime submitted_at;
  std::optional<MonotonicTime> acknowledged;
  std::optional<MonotonicTime> refused;  // for certain
  std::vector<Run> runs;                 // in the order of their beginnings
  std::vector<End> ends;                 // as often as somebody was told
  std::optional<MonotonicTime> cancel_asked;
  std::optional<MonotonicTime> cancel_promised;  // while it lived
  bool cancel_came_late = false;
  std::vector<MonotonicTime> unknown_when_asked;
  std::vector<std::string> unanswered;  // what somebody still waits for
  std::uint32_t kills = 0;              // of the workers that ran it
  bool strange_end_of_run = false;      // of a run that never began
};

using Lives = std::map<TaskId, Life>;

// O(facts × log tasks).
[[nodiscard]] Lives lives_of(const Ledger& ledger);

}  // namespace taskpipe::simulation
