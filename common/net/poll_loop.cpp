#include "common/net/poll_loop.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <limits>
#include <zmq.hpp>

namespace taskpipe::net {

std::size_t Poller::add(zmq::socket_t& socket) {
  assert(items_.size() < kMaxItems);
  items_.push_back(Item{socket.handle(), -1, ZMQ_POLLIN, 0});
  return items_.size() - 1;
}

std::size_t Poller::add_fd(int fd) {
  assert(items_.size() < kMaxItems);
  items_.push_back(Item{nullptr, fd, ZMQ_POLLIN, 0});
  return items_.size() - 1;
}

void Poller::wait(std::optional<Millis> timeout) {
  // zmq_poll rather than cppzmq's poll, which throws when a signal arrives; and rather than ZMQ_FD,
  // which is edge-triggered.
  std::array<zmq_pollitem_t, kMaxItems> items{};
  for (std::size_t i = 0; i < items_.size(); ++i) {
    items[i] = zmq_pollitem_t{items_[i].socket, items_[i].fd, items_[i].events, 0};
  }
  constexpr std::int64_t kLongestMs = std::numeric_limits<std::int32_t>::max();
  const long timeout_ms =
      timeout ? static_cast<long>(std::clamp<std::int64_t>(timeout->count(), 0, kLongestMs)) : -1;
  const int ready = ::zmq_poll(items.data(), static_cast<int>(items_.size()), timeout_ms);
  for (std::size_t i = 0; i < items_.size(); ++i) {
    items_[i].revents = ready > 0 ? items[i].revents : short{0};
  }
}

bool Poller::readable(std::size_t index) const {
  assert(index < items_.size());
  // An error or a hang-up is something to read as well: the reader finds out.
  return items_[index].revents != 0;
}

}  // namespace taskpipe::net
