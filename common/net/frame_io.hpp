// Frames in and out of a socket, never blocking and never throwing for what a peer can cause.
// Private to common/net.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <zmq.hpp>

#include "common/model/payload.hpp"
#include "common/net/queue_meter.hpp"
#include "common/net/socket.hpp"

namespace taskpipe::net {

// One message, part by part. When a part cannot be queued, the later ones are swallowed: libzmq
// takes back what was queued and drops up to the end of the message.
class PartSender {
 public:
  // What is handed over is counted by `meter`, if there is one, until libzmq lets go of it.
  explicit PartSender(zmq::socket_t& socket, std::shared_ptr<QueueMeter> meter = nullptr)
      : socket_(socket), meter_(std::move(meter)) {}
  // Copies, and counts nothing: for what is short.
  void part(std::span<const std::byte> bytes, bool more);
  // Hand over the bytes themselves; libzmq lets go of them on its I/O thread.
  void part(const Payload& payload, bool more);
  void part(std::string&& bytes, bool more);
  [[nodiscard]] SendStatus status() const { return status_; }

 private:
  void send(zmq::message_t& message, bool more);

  zmq::socket_t& socket_;
  std::shared_ptr<QueueMeter> meter_;
  bool is_first_ = true;
  bool refused_first_ = false;
  SendStatus status_ = SendStatus::sent;
};

// Header, body and blobs; the caller may have sent a routing id before.
void send_message(PartSender& sender, protocol::EncodedMessage message);

// Receives one frame into `frame`; false when nothing is waiting.
[[nodiscard]] bool receive_frame(zmq::socket_t& socket, zmq::message_t& frame);

// Reads and forgets what is left of a message, given its last frame so far.
void discard_rest(zmq::socket_t& socket, zmq::message_t& frame);

// Receives all frames that are left of a message into `out`, given the first one.
void collect_frames(zmq::socket_t& socket, zmq::message_t& first, ReceivedMessage& out);

// What ZAP said of the frame's peer; empty without keys.
[[nodiscard]] std::string_view user_id_of(const zmq::message_t& frame);

[[nodiscard]] std::string_view text_of(const zmq::message_t& frame);

}  // namespace taskpipe::net
