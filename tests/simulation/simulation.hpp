// One simulated life of a cluster: a workload, faults drawn from a seed, a time of peace in which
// everything must come to its end, an audit, and the checker's verdict.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/network.hpp"
#include "tests/simulation/world.hpp"

namespace taskpipe::simulation {

// Which kinds of trouble a run has; drawn from the seed unless named.
enum class Weather : std::uint8_t {
  calm = 0,     // none: what holds here must hold without luck
  crashes = 1,  // kill -9 and power losses of broker, workers, clients
  network = 2,  // partitions of either direction, broken connections
  disk = 3,     // failed writes and syncs, full disks, power cut in the middle of a write
  pauses = 4,   // SIGSTOP, slow disks, clocks that are set
  relay = 5,    // messages lost, duplicated, reordered, in one session
  storm = 6,    // all of it but the relay and poison
  poison = 7,   // some tasks kill the worker that runs them, and nothing else is wrong
};
inline constexpr Weather kLastWeather = Weather::poison;
[[nodiscard]] const char* name_of(Weather weather);

struct Options {
  std::uint64_t seed = 1;
  Millis duration{std::chrono::minutes(10)};  // of workload and faults, in virtual time
  std::optional<Weather> weather{};
  bool verbose = false;
  std::optional<TaskId> follow{};  // print all that is known of it in the end
};

struct Report {
  Weather weather = Weather::calm;
  std::vector<std::string> violations;  // empty = the promise was kept
  std::uint64_t submitted = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t ended = 0;       // acknowledged ones whose end was seen
  std::uint64_t executions = 0;  // runs of tools
  std::uint64_t events = 0;      // of the scheduler
  Nanos simulated{0};
  Counters counters;
  NetworkCounters network;
  std::uint64_t fingerprint = 0;  // of the ledger: equal seeds give equal ones
};

[[nodiscard]] Report simulate(const Options& options);

}  // namespace taskpipe::simulation
