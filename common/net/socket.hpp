// Sockets with every option that the rules ask for, set before bind or connect.
//
// One wrapper for sending and receiving: never blocks, never throws for what a peer can cause. A
// socket belongs to one thread. Rules and their reasons: docs/decisions and docs/protocol.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/limits.hpp"
#include "common/net/handshake_monitor.hpp"
#include "common/net/queue_meter.hpp"
#include "common/protocol/codec.hpp"
#include "common/protocol/envelope.hpp"
#include "common/security/keys.hpp"

namespace zmq {
class context_t;
class socket_t;
}  // namespace zmq

namespace taskpipe::net {

// One per process, created after any helper process was forked. Destruction waits for sockets to be
// closed and lingering data to go.
class Context {
 public:
  explicit Context(int io_threads = 1);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context();
  [[nodiscard]] zmq::context_t& native() { return *context_; }

 private:
  std::unique_ptr<zmq::context_t> context_;
};

// Frames of one received message, copied out of libzmq's buffers (a held message would pin 8 KiB
// each). Reused from message to message.
struct ReceivedMessage {
  std::uint64_t routing = 0;         // ROUTER only
  std::vector<std::string> storage;  // buffers are reused; very large ones are given back
  std::size_t frame_count = 0;       // without the routing id
  // More frames (2 + limits::kMaxBlobs) or bytes (limits::kMaxMessageBytes) than the protocol
  // allows: what came after was discarded.
  bool oversized = false;
  // ROUTER with keys: the peer's public key as ZAP admitted it, in hexadecimal; else empty.
  std::string user_id;

  [[nodiscard]] bool is_probe() const { return frame_count == 1 && storage[0].empty(); }
  // Views into this object, valid until the next receive.
  [[nodiscard]] std::vector<protocol::FrameView> frames() const;
};

enum class SendStatus : std::uint8_t {
  sent,         // queued by libzmq; says nothing about arrival
  unreachable,  // no such peer, or its queue is full: treat the session as dead
};

// CURVE of a socket that is bound: whoever connects must know the public key that belongs to it,
// and is admitted by the ZapServer under `domain`, or not at all.
struct CurveServer {
  security::KeyPair keys;
  std::string domain;
};
// CURVE of a socket that connects.
struct CurveClient {
  security::PublicKey server_key;
  security::KeyPair keys;
};

struct SocketTuning {
  int send_high_water = 10'000;
  int receive_high_water = 1'000;
  std::uint64_t most_queued_bytes = limits::kMaxPeerQueueBytes;  // ROUTER: for one peer
  int linger_ms = 0;
  int reconnect_first_ms = 1'000;  // DEALER and SUB: doubles up to the longest
  int reconnect_max_ms = 15'000;
  std::optional<CurveServer> curve_server{};
  std::optional<CurveClient> curve_client{};
};

// Bound by the broker. MANDATORY, never blocking, no ZMTP heartbeats.
class RouterSocket {
 public:
  RouterSocket(Context& context, const SocketTuning& tuning);
  RouterSocket(const RouterSocket&) = delete;
  RouterSocket& operator=(const RouterSocket&) = delete;
  ~RouterSocket();

  // INVALID naming "bind" for a bad or occupied address, with the remedy. `tcp://127.0.0.1:*` picks
  // a port; see `endpoint`. Takes tcp:// (numeric address, interface name or *), ipc:// and
  // inproc://.
  [[nodiscard]] tl::expected<void, Error> bind(const std::string& endpoint);
  [[nodiscard]] std::string endpoint() const;
  // `unreachable` also when most_queued_bytes wait for this peer already; a short message still
  // goes, so that it can be told.
  [[nodiscard]] SendStatus send(std::uint64_t routing, protocol::EncodedMessage message);
  // Of all peers: handed over, not on the network yet.
  [[nodiscard]] std::uint64_t queued_bytes() const { return meters_.bytes(); }
  // False when nothing is waiting. Messages of peers that chose a routing id of their own are
  // discarded: with a duplicate, libzmq would mix two peers up.
  [[nodiscard]] bool receive(ReceivedMessage& out);
  [[nodiscard]] zmq::socket_t& native() { return *socket_; }

 private:
  std::unique_ptr<zmq::socket_t> socket_;
  bool has_keys_;
  std::uint64_t most_queued_bytes_;
  PeerMeters meters_;
};

// Connected by clients and workers to exactly one endpoint. IMMEDIATE and PROBE_ROUTER: nothing is
// queued while there is no connection, and each new one announces itself by an empty message. That
// probe leaves only when the owner touches the socket: poll it at once after `connect`.
class DealerSocket {
 public:
  DealerSocket(Context& context, const SocketTuning& tuning);
  DealerSocket(const DealerSocket&) = delete;
  DealerSocket& operator=(const DealerSocket&) = delete;
  ~DealerSocket();

  // Resolves host names first (libzmq would do so on its I/O thread and stall it), preferring IPv4,
  // since that is what a broker binds by default. INVALID naming "broker" when the address cannot
  // be parsed or resolved. May wait for the name server.
  [[nodiscard]] tl::expected<void, Error> connect(const std::string& endpoint);
  [[nodiscard]] SendStatus send(protocol::EncodedMessage message);
  [[nodiscard]] bool receive(ReceivedMessage& out);
  [[nodiscard]] zmq::socket_t& native() { return *socket_; }
  // What became of the handshakes; becomes readable with news.
  [[nodiscard]] HandshakeMonitor& handshakes() { return *handshakes_; }

 private:
  std::unique_ptr<zmq::socket_t> socket_;
  std::unique_ptr<HandshakeMonitor> handshakes_;
};

// The broker's PUB channel: XPUB with VERBOSE, lossy.
class XpubSocket {
 public:
  XpubSocket(Context& context, const SocketTuning& tuning);
  XpubSocket(const XpubSocket&) = delete;
  XpubSocket& operator=(const XpubSocket&) = delete;
  ~XpubSocket();

  struct Subscription {
    bool added = false;
    std::string topic;
  };
  [[nodiscard]] tl::expected<void, Error> bind(const std::string& endpoint);
  // Takes no more connections there; those that exist stay.
  void unbind();
  [[nodiscard]] std::string endpoint() const;
  // Lost to subscribers whose queue is full, and to everybody while limits::kMaxEventQueueBytes
  // wait for subscribers.
  void publish(protocol::EncodedEvents events);
  [[nodiscard]] std::uint64_t queued_bytes() const { return meter_->bytes(); }
  // False when nothing is waiting; garbage from subscribers is skipped, and so are topics beyond
  // limits::kMaxTopicBytes. Every subscription is told, but only the last unsubscription of a topic
  // (also when its peer is gone).
  [[nodiscard]] bool receive(Subscription& out);
  [[nodiscard]] zmq::socket_t& native() { return *socket_; }

 private:
  std::unique_ptr<zmq::socket_t> socket_;
  std::shared_ptr<QueueMeter> meter_ = std::make_shared<QueueMeter>();
};

class SubSocket {
 public:
  SubSocket(Context& context, const SocketTuning& tuning);
  SubSocket(const SubSocket&) = delete;
  SubSocket& operator=(const SubSocket&) = delete;
  ~SubSocket();

  [[nodiscard]] tl::expected<void, Error> connect(const std::string& endpoint);
  void subscribe(const std::string& topic);  // at most limits::kMaxTopicBytes, ends in "."
  void unsubscribe(const std::string& topic);
  struct Received {
    std::string topic;
    std::string position;
    std::string body;
  };
  // False when nothing is waiting; messages of another shape than three frames are skipped.
  [[nodiscard]] bool receive(Received& out);
  [[nodiscard]] zmq::socket_t& native() { return *socket_; }

 private:
  std::unique_ptr<zmq::socket_t> socket_;
};

}  // namespace taskpipe::net
