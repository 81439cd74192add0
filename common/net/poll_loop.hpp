// Waiting for several sockets and descriptors at once.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "common/model/time.hpp"

namespace zmq {
class socket_t;
}  // namespace zmq

namespace taskpipe::net {

// A fixed set of things to wait for; add them once, then call `wait` in a loop. Readability only:
// POLLOUT on a MANDATORY ROUTER fires whenever any peer is writable and would spin. One thread.
class Poller {
 public:
  static constexpr std::size_t kMaxItems = 32;

  // Both return the index to ask `readable` with.
  std::size_t add(zmq::socket_t& socket);
  std::size_t add_fd(int fd);

  // Waits until something is readable or `timeout` has passed (nothing = no timeout). EINTR counts
  // as a wake-up with nothing readable.
  void wait(std::optional<Millis> timeout);
  // As of the last `wait`. What is not need not be asked for messages: that costs libzmq two system
  // calls.
  [[nodiscard]] bool readable(std::size_t index) const;

 private:
  struct Item {
    void* socket = nullptr;
    int fd = -1;
    short events = 0;
    short revents = 0;
  };
  std::vector<Item> items_;
};

}  // namespace taskpipe::net
