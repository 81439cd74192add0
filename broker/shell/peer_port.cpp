#include "broker/shell/peer_port.hpp"

#include <utility>

#include "common/protocol/codec.hpp"
#include "common/protocol/envelope.hpp"

namespace taskpipe::broker {

PeerPort::PeerPort(net::Context& context, Port port)
    : port_(port), socket_(context, net::SocketTuning{}) {}

tl::expected<void, Error> PeerPort::bind(const std::string& endpoint) {
  return socket_.bind(endpoint);
}

std::size_t PeerPort::drain(std::size_t most, std::vector<Command>& out) {
  std::size_t count = 0;
  while (count < most && socket_.receive(received_)) {
    out.push_back(to_command());
    ++count;
  }
  return count;
}

Command PeerPort::to_command() {
  const Peer peer{port_, received_.routing};
  if (received_.is_probe()) return command::PeerProbed{peer};
  const std::vector<protocol::FrameView> frames = received_.frames();
  tl::expected<protocol::DecodedMessage, Error> decoded =
      received_.oversized ? tl::unexpected(Error{ErrorCode::malformed,
                                                 "more frames than the protocol allows", "frames"})
                          : protocol::decode(frames);
  if (decoded) {
    return command::MessageReceived{peer, decoded->header.session, decoded->header.correlation,
                                    (decoded->header.flags & protocol::kFlagResend) != 0,
                                    std::move(decoded->message)};
  }
  ++malformed_;
  command::MalformedReceived malformed{peer, {}, {}, std::move(decoded.error())};
  if (!frames.empty()) {
    if (const auto header = protocol::decode_header(frames[0])) {
      malformed.session = header->session;
      malformed.correlation = header->correlation;
    }
  }
  return malformed;
}

bool PeerPort::deliver(const Send& send) {
  const auto encoded = protocol::encode(send.message, send.correlation, send.session);
  // The core keeps every message within its bounds; what does not encode is answered as an error,
  // since silence would leave the peer waiting.
  if (!encoded) {
    const auto error =
        protocol::encode(ErrorReply{encoded.error()}, send.correlation, send.session);
    return error && socket_.send(send.to.routing, *error) == net::SendStatus::sent;
  }
  return socket_.send(send.to.routing, *encoded) == net::SendStatus::sent;
}

}  // namespace taskpipe::broker
