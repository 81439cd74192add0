// The PUB channel: XPUB and SUB.
#include <cassert>
#include <zmq.hpp>

#include "common/model/limits.hpp"
#include "common/net/frame_io.hpp"
#include "common/net/socket.hpp"
#include "common/net/socket_options.hpp"

namespace taskpipe::net {
namespace {

// A receive gives up after this much garbage, so that the loop turns.
constexpr int kMaxDiscards = 64;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

XpubSocket::XpubSocket(Context& context, const SocketTuning& tuning)
    : socket_(std::make_unique<zmq::socket_t>(context.native(), zmq::socket_type::xpub)) {
  set_common_options(*socket_, tuning);
  set_listener_options(*socket_, tuning);
  // Else only the first subscriber of a topic would be told, and the second one would not get the
  // task's present state. No XPUB_NODROP: one slow subscriber would stall all.
  socket_->set(zmq::sockopt::xpub_verbose, 1);
}
XpubSocket::~XpubSocket() = default;

tl::expected<void, Error> XpubSocket::bind(const std::string& endpoint) {
  return bind_socket(*socket_, endpoint);
}

void XpubSocket::unbind() {
  try {
    socket_->unbind(endpoint());
  } catch (const zmq::error_t&) {
    return;  // it was not bound
  }
}

std::string XpubSocket::endpoint() const { return socket_->get(zmq::sockopt::last_endpoint); }

void XpubSocket::publish(protocol::EncodedEvents events) {
  assert(events.topic.size() <= limits::kMaxTopicBytes);
  if (meter_->bytes() >= limits::kMaxEventQueueBytes) return;
  PartSender sender(*socket_, meter_);
  sender.part(bytes_of(events.topic), true);
  sender.part(events.position, true);
  sender.part(std::move(events.body), false);
}

bool XpubSocket::receive(Subscription& out) {
  zmq::message_t frame;
  for (int i = 0; i < kMaxDiscards && receive_frame(*socket_, frame); ++i) {
    const std::string_view text = text_of(frame);
    const bool is_subscription = !text.empty() && (text[0] == '\0' || text[0] == '\1') &&
                                 text.size() - 1 <= limits::kMaxTopicBytes && !frame.more();
    if (is_subscription) {
      out.added = text[0] == '\1';
      out.topic.assign(text.substr(1));
      return true;
    }
    discard_rest(*socket_, frame);
  }
  return false;
}

SubSocket::SubSocket(Context& context, const SocketTuning& tuning)
    : socket_(std::make_unique<zmq::socket_t>(context.native(), zmq::socket_type::sub)) {
  set_common_options(*socket_, tuning);
  set_connector_options(*socket_, tuning);
}
SubSocket::~SubSocket() = default;

tl::expected<void, Error> SubSocket::connect(const std::string& endpoint) {
  return connect_socket(*socket_, endpoint);
}

void SubSocket::subscribe(const std::string& topic) {
  assert(topic.size() <= limits::kMaxTopicBytes);
  socket_->set(zmq::sockopt::subscribe, topic);
}

void SubSocket::unsubscribe(const std::string& topic) {
  socket_->set(zmq::sockopt::unsubscribe, topic);
}

bool SubSocket::receive(Received& out) {
  zmq::message_t frame;
  for (int i = 0; i < kMaxDiscards && receive_frame(*socket_, frame); ++i) {
    std::size_t parts = 0;
    for (std::string* part : {&out.topic, &out.position, &out.body}) {
      part->assign(text_of(frame));
      ++parts;
      if (!frame.more() || parts == 3 || !receive_frame(*socket_, frame)) break;
    }
    if (parts == 3 && !frame.more()) return true;
    discard_rest(*socket_, frame);
  }
  return false;
}

}  // namespace taskpipe::net
