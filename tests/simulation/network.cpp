#include "tests/simulation/network.hpp"

#include <algorithm>

namespace taskpipe::simulation {
namespace {

constexpr Nanos kReconnectLeast = std::chrono::milliseconds(100);
constexpr Nanos kReconnectMost = std::chrono::milliseconds(1500);
constexpr Nanos kReorderMost = std::chrono::milliseconds(200);

}  // namespace

void Network::broker_up(ToBroker receive) {
  broker_ = std::move(receive);
  // The new host answers the first packet of an old connection by a reset.
  for (auto& [id, socket] : sockets_) {
    if (!socket.half_open) continue;
    disconnect(socket);
    connect_later(id);
  }
}

void Network::broker_down(bool silently) {
  broker_ = nullptr;
  std::erase_if(sockets_, [](const auto& entry) { return entry.second.ghost; });
  for (auto& [id, socket] : sockets_) {
    if (socket.routing == 0) continue;
    if (silently) {
      socket.half_open = true;
    } else {
      disconnect(socket);
      connect_later(id);
    }
  }
  by_routing_.clear();
}

bool Network::send_to(const broker::Peer& peer, Packet packet) {
  const auto found = by_routing_.find(peer.routing);
  if (found == by_routing_.end()) return false;
  transmit(found->second, sockets_.at(found->second), Direction::to_peer, std::move(packet));
  return true;
}

SocketId Network::open(NodeId node, broker::Port port, ToPeer receive) {
  const SocketId id = ++last_socket_;
  Socket& socket = sockets_[id];
  socket.node = node;
  socket.port = port;
  socket.receive = std::move(receive);
  scheduler_.after(quality_.least_delay, [this, id] { try_connect(id); });
  return id;
}

void Network::close(SocketId id) {
  const auto found = sockets_.find(id);
  if (found == sockets_.end()) return;
  by_routing_.erase(found->second.routing);
  sockets_.erase(found);
}

void Network::vanish(SocketId id) {
  const auto found = sockets_.find(id);
  if (found == sockets_.end()) return;
  if (found->second.routing == 0) return close(id);
  found->second.ghost = true;
  found->second.receive = [](const Packet&) {};
}

bool Network::send_from(SocketId id, Packet packet) {
  const auto found = sockets_.find(id);
  if (found == sockets_.end() || found->second.routing == 0) return false;
  transmit(id, found->second, Direction::to_broker, std::move(packet));
  return true;
}

void Network::connect_later(SocketId id) {
  scheduler_.after(random_.between(kReconnectLeast, kReconnectMost),
                   [this, id] { try_connect(id); });
}

void Network::try_connect(SocketId id) {
  const auto found = sockets_.find(id);
  if (found == sockets_.end() || found->second.routing != 0) return;
  if (found->second.ghost) return close(id);
  Socket& socket = found->second;
  if (!broker_ || blocked(socket.node, Direction::to_broker) ||
      blocked(socket.node, Direction::to_peer)) {
    return connect_later(id);
  }
  socket.routing = ++last_routing_;
  by_routing_[socket.routing] = id;
  transmit(id, socket, Direction::to_broker, nullptr);
}

void Network::disconnect(Socket& socket) {
  if (socket.routing == 0) return;
  ++counters_.resets;
  by_routing_.erase(socket.routing);
  socket.routing = 0;
  socket.half_open = false;
  for (Pipe& pipe : socket.pipes) pipe = Pipe{};
}

void Network::transmit(SocketId id, Socket& socket, Direction direction, Packet packet) {
  ++counters_.messages;
  if (socket.half_open) return;
  const bool is_probe = packet == nullptr;
  if (!is_probe && random_.chance(quality_.lose)) {
    ++counters_.lost;
    return;
  }
  Pipe& pipe = socket.pipes[static_cast<std::size_t>(direction)];
  const std::uint64_t routing = socket.routing;
  MonotonicTime arrival =
      scheduler_.time() + random_.between(quality_.least_delay, quality_.most_delay);
  if (!is_probe && random_.chance(quality_.reorder)) {
    ++counters_.reordered;
    arrival = arrival + random_.between(Nanos(0), kReorderMost);
  } else {
    arrival = std::max(arrival, pipe.last_arrival);
    pipe.last_arrival = arrival;
  }
  const auto deliver = [this, id, routing, direction, packet] {
    arrive(id, routing, direction, packet);
  };
  scheduler_.at(arrival, deliver);
  if (!is_probe && random_.chance(quality_.duplicate)) {
    ++counters_.duplicated;
    scheduler_.at(arrival + random_.between(Nanos(0), kReorderMost), deliver);
  }
}

void Network::arrive(SocketId id, std::uint64_t routing, Direction direction,
                     const Packet& packet) {
  const auto found = sockets_.find(id);
  if (found == sockets_.end() || found->second.routing != routing) return;  // it broke meanwhile
  Socket& socket = found->second;
  if (socket.half_open) return;
  auto& held = socket.pipes[static_cast<std::size_t>(direction)].held;
  if (blocked(socket.node, direction) || !held.empty()) {
    held.push_back(packet);
    return;
  }
  hand_over(socket, direction, packet);
}

void Network::hand_over(const Socket& socket, Direction direction, const Packet& packet) {
  if (direction == Direction::to_broker) {
    if (broker_) broker_({socket.port, socket.routing}, packet);
  } else {
    socket.receive(packet);
  }
}

void Network::block(NodeId node, Direction direction) {
  if (blocked_.insert({node, direction}).second) ++counters_.partitions;
}

void Network::unblock(NodeId node, Direction direction, bool broken) {
  if (blocked_.erase({node, direction}) == 0) return;
  if (broken) return reset(node);
  for (auto& [id, socket] : sockets_) {
    if (socket.node != node) continue;
    auto& held = socket.pipes[static_cast<std::size_t>(direction)].held;
    while (!held.empty()) {
      const Packet packet = held.front();
      hand_over(socket, direction, packet);
      held.pop_front();
    }
  }
}

void Network::reset(NodeId node) {
  for (auto& [id, socket] : sockets_) {
    if (socket.node != node || socket.routing == 0) continue;
    disconnect(socket);
    connect_later(id);
  }
}

void Network::reset_all() {
  for (auto& [id, socket] : sockets_) {
    if (socket.routing == 0) continue;
    disconnect(socket);
    connect_later(id);
  }
}

}  // namespace taskpipe::simulation
