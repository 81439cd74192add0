// The handlers that every worker ships.
//
//   noop   does nothing and returns null: the cost of a task without any work
//   echo   returns its params. `sleep_ms` (integer) makes it wait first, reporting progress and
//          heeding cancels; `fail` (string) makes it fail with that reason afterwards
#pragma once

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "worker/handlers/handler_registry.hpp"

namespace taskpipe::worker {

[[nodiscard]] tl::expected<void, Error> add_builtin_handlers(HandlerRegistry& registry);

}  // namespace taskpipe::worker
