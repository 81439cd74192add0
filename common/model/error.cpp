#include "common/model/error.hpp"

#include <array>
#include <cstddef>

namespace taskpipe {

std::string_view name_of(ErrorCode code) {
  static constexpr std::array<std::string_view, 19> kNames = {
      "OK",           "VERSION",       "MALFORMED",   "TOO_BIG",     "DENIED",  "NOT_REGISTERED",
      "STALE_EPOCH",  "STALE_ATTEMPT", "ID_CONFLICT", "BUSY",        "FLOW",    "UNKNOWN_TASK",
      "GAP_TOO_OLD",  "SHUTTING_DOWN", "STORAGE",     "UNSUPPORTED", "INVALID", "CYCLE",
      "UNSATISFIABLE"};
  static_assert(kNames.size() == static_cast<std::size_t>(kLastErrorCode) + 1);
  const auto index = static_cast<std::size_t>(code);
  return index < kNames.size() ? kNames[index] : std::string_view("UNKNOWN_CODE");
}

}  // namespace taskpipe
