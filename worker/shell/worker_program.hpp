// The worker as a program. A worker with handlers of one's own is a main of a few lines:
//
//   int main(int argc, char** argv) {
//     taskpipe::worker::HandlerRegistry handlers;
//     auto added = handlers.add({"scale", "1.0", "Doubles x"}, std::make_unique<Scale>());
//     if (!added) return 1;
//     return taskpipe::worker::run_worker(argc, argv, std::move(handlers));
//   }
//
// It has every option of taskpipe-worker, and offers tools and builtin handlers besides its own.
#pragma once

#include "worker/handlers/handler_registry.hpp"

namespace taskpipe::worker {

// Call it from main, before there are threads or ZeroMQ contexts; returns what main should. Errors
// go to standard error; nothing is thrown. May end the process by itself, when a handler does not
// heed a stop.
[[nodiscard]] int run_worker(int argc, const char* const* argv, HandlerRegistry handlers);

}  // namespace taskpipe::worker
