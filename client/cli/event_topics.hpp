// The topics of the event stream, as people name them. docs/protocol.md lists them.
#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "common/model/error.hpp"

namespace taskpipe::cli {

// "task.lammps" as "task.lammps.", which is what a subscription takes. A name that no event can
// ever have is refused: whoever waits for it would wait in silence.
[[nodiscard]] tl::expected<std::string, Error> read_topic(std::string_view text);

}  // namespace taskpipe::cli
