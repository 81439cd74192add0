// Randomness from the kernel: for identities and seeds. Any thread; a system call each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/model/ids.hpp"
#include "common/model/time.hpp"

namespace taskpipe::process {

// Fills all of `out` by getrandom. Throws std::system_error where the kernel has no such call.
void fill_random(std::span<std::byte> out);

[[nodiscard]] std::uint64_t random_u64();

// 128 random bits; never nil.
template <class Id>
[[nodiscard]] Id new_unique_id() {
  std::array<std::byte, kUniqueIdBytes> bytes{};
  Id id;
  while (id.is_nil()) {
    fill_random(bytes);
    id = Id::from_bytes(bytes);
  }
  return id;
}

// The prefix of a batch of task ids made at `now`.
[[nodiscard]] TaskIdPrefix new_task_id_prefix(WallTime now);

}  // namespace taskpipe::process
