// Whether the loop itself was away.
#pragma once

#include <optional>

#include "broker/core/command.hpp"
#include "common/model/time.hpp"

namespace taskpipe::broker {

// A loop that was away for longer than it asked for (a stopped process, a hung filesystem) must not
// take its own absence for the silence of others. `before` and `after` are the readings of two
// turns, `allowed` is how long the loop asked to sleep between them (nothing = for as long as
// nothing happens, which says nothing about a stall).
[[nodiscard]] std::optional<command::LoopStalled> stall_between(const Now& before,
                                                                std::optional<Millis> allowed,
                                                                const Now& after);

}  // namespace taskpipe::broker
