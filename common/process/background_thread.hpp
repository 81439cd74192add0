// Threads whose work may wait while others have something to do.
#pragma once

namespace taskpipe::process {

// Names the calling thread, and lowers its priority to `niceness` (1..19) where it is higher. Never
// fails: where the kernel forbids it, the thread stays as it is.
void begin_background_thread(const char* name, int niceness);

}  // namespace taskpipe::process
