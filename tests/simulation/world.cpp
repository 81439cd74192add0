#include "tests/simulation/world.hpp"

#include <cstdio>

namespace taskpipe::simulation {

void World::record(const Fact& fact) { ledger.push_back({scheduler.time(), fact}); }

void World::tell(const char* who, const std::string& what) const {
  if (!verbose) return;
  const double seconds = static_cast<double>(scheduler.time().since_start.count()) / 1e9;
  std::printf("%12.6f %-8s %s\n", seconds - 3600, who, what.c_str());
}

}  // namespace taskpipe::simulation
