// Where the deliveries of a call go.
#pragma once

#include "client/src/call.hpp"
#include "client/src/delivery.hpp"

namespace taskpipe::client {

class CallSink {
 public:
  CallSink() = default;
  CallSink(const CallSink&) = delete;
  CallSink& operator=(const CallSink&) = delete;
  virtual ~CallSink() = default;

  // On the I/O thread: must not block, throw, or call user code. `last`: nothing follows for this
  // call.
  virtual void deliver(CallId call, Delivery&& what, bool last) noexcept = 0;
};

}  // namespace taskpipe::client
