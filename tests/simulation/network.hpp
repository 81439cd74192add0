// The network between the broker and its peers, as libzmq shows it: connections that keep order and
// lose nothing while they live, and lose whatever was under way when they break.
//
// Faults: partitions of either direction (what is sent waits, as in TCP's buffers, until the
// direction opens again or the connection breaks), resets, half-open connections after the broker's
// host lost power, slow links; and, for the protocol's sake, a hostile relay that loses, duplicates
// and reorders single messages, which no real connection does.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "broker/core/command.hpp"
#include "common/protocol/envelope.hpp"
#include "tests/simulation/random.hpp"
#include "tests/simulation/scheduler.hpp"

namespace taskpipe::simulation {

using NodeId = std::uint32_t;  // workers from 1, clients from kFirstClientNode
inline constexpr NodeId kFirstClientNode = 100;
using SocketId = std::uint64_t;  // of a DEALER; 0 = none
// Null = the empty message of a probe.
using Packet = std::shared_ptr<const protocol::EncodedMessage>;

enum class Direction : std::uint8_t { to_broker = 0, to_peer = 1 };

struct LinkQuality {
  Nanos least_delay = std::chrono::microseconds(50);
  Nanos most_delay = std::chrono::milliseconds(2);
  // The hostile relay, per mille of all messages.
  std::uint64_t lose = 0;
  std::uint64_t duplicate = 0;
  std::uint64_t reorder = 0;
};

struct NetworkCounters {
  std::uint64_t messages = 0;
  std::uint64_t lost = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t resets = 0;
  std::uint64_t partitions = 0;
};

class Network {
 public:
  using ToBroker = std::function<void(const broker::Peer&, const Packet&)>;
  using ToPeer = std::function<void(const Packet&)>;

  Network(Scheduler& scheduler, Random random) : scheduler_(scheduler), random_(random) {}

  // --- The broker's ROUTERs ---
  void broker_up(ToBroker receive);
  // `silently`: its host lost power, so that nobody is told.
  void broker_down(bool silently);
  // False when there is no such connection (EHOSTUNREACH).
  bool send_to(const broker::Peer& peer, Packet packet);

  // --- A peer's DEALER: connects and reconnects by itself ---
  SocketId open(NodeId node, broker::Port port, ToPeer receive);
  void close(SocketId socket);
  // Its host has lost power: nobody is told, and the broker goes on sending to it.
  void vanish(SocketId socket);
  // False when it is not connected (ZMQ_IMMEDIATE).
  bool send_from(SocketId socket, Packet packet);

  // --- Faults ---
  void set_quality(const LinkQuality& quality) { quality_ = quality; }
  void block(NodeId node, Direction direction);
  // `broken`: the connections did not survive it.
  void unblock(NodeId node, Direction direction, bool broken);
  void reset(NodeId node);
  void reset_all();
  [[nodiscard]] const NetworkCounters& counters() const { return counters_; }

 private:
  struct Pipe {
    MonotonicTime last_arrival;
    std::deque<Packet> held;  // behind a partition
  };
  struct Socket {
    NodeId node = 0;
    broker::Port port = broker::Port::client;
    ToPeer receive;
    std::uint64_t routing = 0;  // 0 = not connected; a new one each time
    bool half_open = false;     // the other end has gone without a word
    bool ghost = false;         // this end has
    Pipe pipes[2];              // by Direction
  };

  void connect_later(SocketId id);
  void try_connect(SocketId id);
  void disconnect(Socket& socket);
  void transmit(SocketId id, Socket& socket, Direction direction, Packet packet);
  void arrive(SocketId id, std::uint64_t routing, Direction direction, const Packet& packet);
  void hand_over(const Socket& socket, Direction direction, const Packet& packet);
  [[nodiscard]] bool blocked(NodeId node, Direction direction) const {
    return blocked_.contains({node, direction});
  }

  Scheduler& scheduler_;
  Random random_;
  LinkQuality quality_;
  ToBroker broker_;  // empty while it is down
  std::map<SocketId, Socket> sockets_;
  std::map<std::uint64_t, SocketId> by_routing_;
  std::set<std::pair<NodeId, Direction>> blocked_;
  SocketId last_socket_ = 0;
  std::uint64_t last_routing_ = 0;
  NetworkCounters counters_;
};

}  // namespace taskpipe::simulation
