#include "common/net/frame_io.hpp"

#include <cerrno>
#include <cstring>
#include <memory>

#include "common/model/limits.hpp"

namespace taskpipe::net {
namespace {

// A buffer that grew beyond this is given back before the next message.
constexpr std::size_t kKeepBytes = limits::kMaxBatchBytes;
constexpr std::size_t kMaxFrames = 2 + limits::kMaxBlobs;

void release_payload(void*, void* hint) { delete static_cast<Payload*>(hint); }

}  // namespace

void PartSender::part(std::span<const std::byte> bytes, bool more) {
  zmq::message_t message(bytes.data(), bytes.size());
  send(message, more);
}

void PartSender::part(const Payload& payload, bool more) {
  auto owner = std::make_unique<Payload>(payload);
  // libzmq's interface knows no const, but it only reads what it sends.
  auto* bytes = const_cast<std::byte*>(owner->bytes().data());
  zmq::message_t message(bytes, owner->size(), &release_payload, owner.get());
  static_cast<void>(owner.release());
  send(message, more);
}

void PartSender::send(zmq::message_t& message, bool more) {
  const bool is_first = std::exchange(is_first_, false);
  // Once the first part was refused nothing is queued, and nothing may follow. When a later part
  // was refused, libzmq expects the rest in order to drop it: held back, it would drop the
  // beginning of the next message instead.
  if (status_ == SendStatus::unreachable && refused_first_) return;
  const int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
  int result = -1;
  do {
    result = ::zmq_msg_send(message.handle(), socket_.handle(), flags);
  } while (result < 0 && ::zmq_errno() == EINTR);
  if (result >= 0) return;
  status_ = SendStatus::unreachable;
  refused_first_ = refused_first_ || is_first;
}

void send_message(PartSender& sender, const protocol::EncodedMessage& message) {
  sender.part(message.header, true);
  sender.part(std::as_bytes(std::span(message.body)), !message.blobs.empty());
  for (std::size_t i = 0; i < message.blobs.size(); ++i) {
    sender.part(message.blobs[i], i + 1 < message.blobs.size());
  }
}

bool receive_frame(zmq::socket_t& socket, zmq::message_t& frame) {
  int result = -1;
  do {
    result = ::zmq_msg_recv(frame.handle(), socket.handle(), ZMQ_DONTWAIT);
  } while (result < 0 && ::zmq_errno() == EINTR);
  return result >= 0;
}

void discard_rest(zmq::socket_t& socket, zmq::message_t& frame) {
  while (frame.more() && receive_frame(socket, frame)) {
  }
}

void collect_frames(zmq::socket_t& socket, zmq::message_t& first, ReceivedMessage& out) {
  for (std::size_t i = 0; i < out.frame_count; ++i) {
    // Assigning an empty string would keep the buffer.
    if (out.storage[i].capacity() > kKeepBytes) std::string().swap(out.storage[i]);
  }
  out.frame_count = 0;
  out.oversized = false;
  std::size_t bytes = 0;
  for (;;) {
    bytes += first.size();
    if (out.frame_count == kMaxFrames || bytes > limits::kMaxMessageBytes) {
      out.oversized = true;
      discard_rest(socket, first);
      return;
    }
    if (out.frame_count == out.storage.size()) out.storage.emplace_back();
    out.storage[out.frame_count++].assign(text_of(first));
    // The parts of a message arrive together: the next one is there.
    if (!first.more() || !receive_frame(socket, first)) return;
  }
}

std::string_view text_of(const zmq::message_t& frame) {
  return {static_cast<const char*>(frame.data()), frame.size()};
}

}  // namespace taskpipe::net
