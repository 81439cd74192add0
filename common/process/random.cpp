#include "common/process/random.hpp"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace taskpipe::process {

void fill_random(std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t got = ::getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw std::system_error(errno, std::generic_category(), "getrandom");
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

std::uint64_t random_u64() {
  std::uint64_t value = 0;
  fill_random(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

TaskIdPrefix new_task_id_prefix(WallTime now) {
  return TaskIdPrefix{static_cast<std::uint64_t>(now.unix_ms), random_u64()};
}

}  // namespace taskpipe::process
