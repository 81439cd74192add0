#include "broker/shell/peer_port.hpp"

#include <utility>

#include "common/model/limits.hpp"
#include "common/protocol/codec.hpp"
#include "common/protocol/envelope.hpp"

namespace taskpipe::broker {
namespace {

net::SocketTuning tuning_of(Port port, const Authenticator* authenticator) {
  net::SocketTuning tuning;
  tuning.receive_high_water = limits::kPeerReceiveHighWater;
  if (authenticator != nullptr) {
    tuning.curve_server =
        authenticator->curve(port == Port::client ? kClientDomain : kWorkerDomain);
  }
  return tuning;
}

Command refusal_of(const Send& send, const Tasks& tasks, const Error& error) {
  TasksAck ack;
  for (const auto& item : tasks.items) {
    ack.refused.push_back(
        {item.attempt, {error.code, "the broker cannot send it: " + error.text, error.field}});
  }
  return command::MessageReceived{send.to, send.session, {}, false, std::move(ack)};
}

}  // namespace

PeerPort::PeerPort(net::Context& context, Port port, const Authenticator* authenticator)
    : port_(port),
      authenticator_(authenticator),
      socket_(context, tuning_of(port, authenticator)) {}

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
    // Who it is matters when a session is opened; after that, the connection is the session's.
    const bool is_hello = std::holds_alternative<Hello>(decoded->message);
    CredentialPtr credential;
    if (authenticator_ != nullptr && is_hello) credential = authenticator_->find(received_.user_id);
    return command::MessageReceived{peer,
                                    decoded->header.session,
                                    decoded->header.correlation,
                                    (decoded->header.flags & protocol::kFlagResend) != 0,
                                    std::move(decoded->message),
                                    std::move(credential)};
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

std::optional<Command> PeerPort::deliver(const Send& send) {
  auto encoded = protocol::encode(send.message, send.correlation, send.session);
  if (!encoded) {
    // The core keeps every message within its bounds. Should one not encode all the same, then
    // nobody may be left waiting: tasks end as if their worker had refused them, and whoever asked
    // gets an error.
    if (const auto* tasks = std::get_if<Tasks>(&send.message)) {
      return refusal_of(send, *tasks, encoded.error());
    }
    encoded = protocol::encode(ErrorReply{encoded.error()}, send.correlation, send.session);
  }
  if (encoded && socket_.send(send.to.routing, std::move(*encoded)) == net::SendStatus::sent) {
    return std::nullopt;
  }
  return command::PeerUnreachable{send.to};
}

}  // namespace taskpipe::broker
