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

// What libzmq holds for us.
template <class Bytes>
struct Lent {
  Bytes bytes;
  std::shared_ptr<QueueMeter> meter;
};

template <class Bytes>
void give_back(void*, void* hint) {
  const std::unique_ptr<Lent<Bytes>> lent(static_cast<Lent<Bytes>*>(hint));
  if (lent->meter) lent->meter->subtract(lent->bytes.size());
}

std::byte* data_of(const Payload& payload) {
  // libzmq's interface knows no const, but it only reads what it sends.
  return const_cast<std::byte*>(payload.bytes().data());
}
char* data_of(std::string& bytes) { return bytes.data(); }

template <class Bytes>
zmq::message_t lend(Bytes bytes, const std::shared_ptr<QueueMeter>& meter) {
  auto lent = std::make_unique<Lent<Bytes>>(Lent<Bytes>{std::move(bytes), meter});
  const std::size_t size = lent->bytes.size();
  zmq::message_t message(data_of(lent->bytes), size, &give_back<Bytes>, lent.get());
  static_cast<void>(lent.release());
  if (meter) meter->add(size);
  return message;
}

}  // namespace

void PartSender::part(std::span<const std::byte> bytes, bool more) {
  zmq::message_t message(bytes.data(), bytes.size());
  send(message, more);
}

void PartSender::part(const Payload& payload, bool more) {
  zmq::message_t message = lend(payload, meter_);
  send(message, more);
}

void PartSender::part(std::string&& bytes, bool more) {
  if (!meter_ || bytes.size() < limits::kUnmeteredBytes) {
    part(std::as_bytes(std::span(bytes)), more);
    return;
  }
  zmq::message_t message = lend(std::move(bytes), meter_);
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

void send_message(PartSender& sender, protocol::EncodedMessage message) {
  sender.part(message.header, true);
  sender.part(std::move(message.body), !message.blobs.empty());
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

std::string_view user_id_of(const zmq::message_t& frame) {
  const char* id = ::zmq_msg_gets(frame.handle(), "User-Id");
  return id == nullptr ? std::string_view() : std::string_view(id);
}

std::string_view text_of(const zmq::message_t& frame) {
  return {static_cast<const char*>(frame.data()), frame.size()};
}

}  // namespace taskpipe::net
