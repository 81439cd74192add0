// The client as Python calls it: one taskpipe::Client per process.
//
// Fork: a child may not touch what it inherits, neither threads (they are not there) nor locks (a
// thread that is not there may hold them) nor sockets (they are the parent's). Every call compares
// the pid first, without a lock, and starts afresh in a child: a new Client with the same options,
// hence a new connection, identity and ids. What was inherited is abandoned, never closed.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>

#include "taskpipe/client.hpp"

namespace taskpipe::python {

class BoundClient {
 public:
  explicit BoundClient(ClientOptions options);
  BoundClient(const BoundClient&) = delete;
  BoundClient& operator=(const BoundClient&) = delete;
  // Closes. Call without the GIL: callbacks that need it may be running.
  ~BoundClient();

  // This process's client, also when it is closed. Any thread.
  [[nodiscard]] std::shared_ptr<Client> client();
  // Ends this process's calls; every later one is refused with CallFailure::closed.
  void close();

 private:
  struct Slot {
    pid_t process;
    std::shared_ptr<Client> client;
  };
  [[nodiscard]] Slot* fresh_slot() const;

  const ClientOptions options_;
  std::atomic<bool> closed_{false};
  std::atomic<Slot*> slot_;
};

}  // namespace taskpipe::python
