// "Did you mean …?"
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace taskpipe::process {

// The name nearest to `wanted` that a slip of the fingers explains: few insertions, deletions,
// substitutions or swaps of neighbours (a third of the length, at least one), or a beginning of
// three characters or more that fits one name alone. Empty when nothing is near.
[[nodiscard]] std::string nearest_name(std::string_view wanted,
                                       const std::vector<std::string>& names);

}  // namespace taskpipe::process
