// --backup: a copy of a data folder that a broker may be using, from outside of it.
#pragma once

#include <string>

#include <tl/expected.hpp>

#include "broker/shell/data_check.hpp"
#include "common/model/error.hpp"

namespace taskpipe::broker {

// Copies the data folder to `target`, which does not exist or is empty, and checks the copy. A
// broker started on it has every task that was acknowledged before this was called.
//
// The work is done in `target`.partial, which takes its place at the end: no broker can start on
// half a copy. Removed again when something goes wrong.
[[nodiscard]] tl::expected<DataCheck, Error> back_up(const std::string& data_folder,
                                                     const std::string& target);

}  // namespace taskpipe::broker
