// What a task needs and what a worker has.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace taskpipe {

struct NamedResource {
  std::string name;  // "license.abaqus", "scratch_gb", …
  std::uint64_t amount = 0;
  friend auto operator<=>(const NamedResource&, const NamedResource&) = default;
};

// Amounts of one node. `named` is sorted by name and holds each name once (see `normalize`).
struct Resources {
  std::uint32_t cpus = 0;
  std::uint32_t gpus = 0;
  std::uint64_t memory_bytes = 0;
  std::vector<NamedResource> named;

  friend auto operator<=>(const Resources&, const Resources&) = default;
};

// Sorts `named`, adds up repeated names and drops zero amounts.
void normalize(Resources& resources);

[[nodiscard]] bool fits(const Resources& need, const Resources& free);

// The name of the first requirement that `total` can never meet ("cpus", "gpus", "memory_bytes", a
// named resource), or empty when `need` fits.
[[nodiscard]] std::string_view first_shortage(const Resources& need, const Resources& total);

// Both require `fits` / an earlier `subtract`: amounts never wrap.
void subtract(Resources& free, const Resources& need);
void add(Resources& free, const Resources& need);

}  // namespace taskpipe
