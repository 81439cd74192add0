// Starting a thread inside somebody else's program: with a name, and deaf to signals, which belong
// to the program's own threads.
#pragma once

#include <functional>
#include <thread>

namespace taskpipe::client {

// `name`: at most 15 bytes. Throws std::system_error when the process may not have another thread.
[[nodiscard]] std::thread start_service_thread(const char* name, std::function<void()> body);

}  // namespace taskpipe::client
