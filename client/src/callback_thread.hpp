// Runs the callbacks of asynchronous calls and subscriptions, one at a time, in order.
//
// It is a thread of its own, so that a callback may take its time and may use the client, while the
// I/O thread goes on answering the broker. Any thread may post; posting never blocks.
#pragma once

#include <functional>
#include <memory>

namespace taskpipe::client {

class CallbackThread {
 public:
  CallbackThread();
  CallbackThread(const CallbackThread&) = delete;
  CallbackThread& operator=(const CallbackThread&) = delete;
  ~CallbackThread();  // as `stop`

  // Runs what was posted, then ends the thread. Called by a callback itself, it returns at once and
  // the thread ends after the callbacks that are left.
  void stop();

  // Must not throw when run. After `stop` the caller runs it: a call that fails because the client
  // was closed meanwhile still tells somebody.
  void post(std::function<void()> callback);
  [[nodiscard]] bool is_this_thread() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace taskpipe::client
