#include "common/net/socket.hpp"

#include <zmq.hpp>

#include "common/net/frame_io.hpp"
#include "common/net/socket_options.hpp"

namespace taskpipe::net {
namespace {

// libzmq's automatic routing ids: a zero byte and a 32-bit counter.
constexpr std::size_t kRoutingBytes = 5;

// A receive gives up after this many messages of unusable peers, so that the loop turns.
constexpr int kMaxDiscards = 64;

std::uint64_t pack_routing(std::string_view bytes) {
  std::uint64_t routing = 0;
  for (const char c : bytes) routing = (routing << 8U) | static_cast<unsigned char>(c);
  return routing;
}

std::array<std::byte, kRoutingBytes> unpack_routing(std::uint64_t routing) {
  std::array<std::byte, kRoutingBytes> bytes{};
  for (std::size_t i = 0; i < kRoutingBytes; ++i) {
    bytes[i] = static_cast<std::byte>(routing >> (8U * (kRoutingBytes - 1 - i)));
  }
  return bytes;
}

}  // namespace

Context::Context(int io_threads) : context_(std::make_unique<zmq::context_t>(io_threads)) {}
Context::~Context() = default;

std::vector<protocol::FrameView> ReceivedMessage::frames() const {
  std::vector<protocol::FrameView> views;
  views.reserve(frame_count);
  for (std::size_t i = 0; i < frame_count; ++i) {
    views.push_back(std::as_bytes(std::span(storage[i])));
  }
  return views;
}

RouterSocket::RouterSocket(Context& context, const SocketTuning& tuning)
    : socket_(std::make_unique<zmq::socket_t>(context.native(), zmq::socket_type::router)),
      has_keys_(tuning.curve_server.has_value()),
      most_queued_bytes_(tuning.most_queued_bytes) {
  set_common_options(*socket_, tuning);
  set_listener_options(*socket_, tuning);
  // Without it, a ROUTER drops silently what it cannot deliver.
  socket_->set(zmq::sockopt::router_mandatory, 1);
}
RouterSocket::~RouterSocket() = default;

tl::expected<void, Error> RouterSocket::bind(const std::string& endpoint) {
  return bind_socket(*socket_, endpoint);
}

std::string RouterSocket::endpoint() const { return socket_->get(zmq::sockopt::last_endpoint); }

SendStatus RouterSocket::send(std::uint64_t routing, protocol::EncodedMessage message) {
  const bool is_short = message.body.size() < limits::kUnmeteredBytes && message.blobs.empty();
  std::shared_ptr<QueueMeter> meter;
  if (!is_short) {
    meter = meters_.of(routing);
    if (meter->bytes() >= most_queued_bytes_) return SendStatus::unreachable;
  }
  PartSender sender(*socket_, std::move(meter));
  sender.part(unpack_routing(routing), true);
  send_message(sender, std::move(message));
  return sender.status();
}

bool RouterSocket::receive(ReceivedMessage& out) {
  zmq::message_t frame;
  for (int i = 0; i < kMaxDiscards && receive_frame(*socket_, frame); ++i) {
    if (frame.size() == kRoutingBytes && frame.data<char>()[0] == '\0' && frame.more()) {
      out.routing = pack_routing(text_of(frame));
      if (!receive_frame(*socket_, frame)) return false;
      // The routing id's frame has none after a poll: it is read off the header's.
      out.user_id.clear();
      if (has_keys_) out.user_id = user_id_of(frame);
      collect_frames(*socket_, frame, out);
      return true;
    }
    discard_rest(*socket_, frame);
  }
  return false;
}

DealerSocket::DealerSocket(Context& context, const SocketTuning& tuning)
    : socket_(std::make_unique<zmq::socket_t>(context.native(), zmq::socket_type::dealer)) {
  set_common_options(*socket_, tuning);
  set_connector_options(*socket_, tuning);
  // Otherwise messages of an old session would reach a restarted broker.
  socket_->set(zmq::sockopt::immediate, 1);
  socket_->set(zmq::sockopt::probe_router, 1);
  handshakes_ = std::make_unique<HandshakeMonitor>(context, *socket_);
}
DealerSocket::~DealerSocket() = default;

tl::expected<void, Error> DealerSocket::connect(const std::string& endpoint) {
  return connect_socket(*socket_, endpoint);
}

SendStatus DealerSocket::send(protocol::EncodedMessage message) {
  PartSender sender(*socket_);
  send_message(sender, std::move(message));
  return sender.status();
}

bool DealerSocket::receive(ReceivedMessage& out) {
  zmq::message_t frame;
  if (!receive_frame(*socket_, frame)) return false;
  collect_frames(*socket_, frame, out);
  return true;
}

}  // namespace taskpipe::net
