#include "client/src/service_thread.hpp"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace taskpipe::client {

std::thread start_service_thread(const char* name, std::function<void()> body) {
  // The mask is inherited, so that there is no moment in which the thread could be interrupted.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  struct Restore {
    sigset_t* mask;
    ~Restore() { pthread_sigmask(SIG_SETMASK, mask, nullptr); }
  } const restore{&before};
  std::thread thread(std::move(body));
  pthread_setname_np(thread.native_handle(), name);
  return thread;
}

}  // namespace taskpipe::client
