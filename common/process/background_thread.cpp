#include "common/process/background_thread.hpp"

#include <pthread.h>
#include <sys/resource.h>

namespace taskpipe::process {

void begin_background_thread(const char* name, int niceness) {
  ::pthread_setname_np(::pthread_self(), name);
  // On Linux a niceness belongs to the thread, and 0 means the one that calls.
  if (::getpriority(PRIO_PROCESS, 0) < niceness) ::setpriority(PRIO_PROCESS, 0, niceness);
}

}  // namespace taskpipe::process
