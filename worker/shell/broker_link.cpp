#include "worker/shell/broker_link.hpp"

#include <utility>
#include <zmq.hpp>

#include "common/protocol/codec.hpp"

namespace taskpipe::worker {
namespace {

// A worker's messages are batches of up to 256 KiB: beyond a few of them the broker is not reading,
// and the session is better given up than buffered.
constexpr int kSendHighWater = 256;

}  // namespace

BrokerLink::BrokerLink(net::Context& context, std::string endpoint,
                       std::optional<net::CurveClient> curve)
    : context_(context),
      endpoint_(std::move(endpoint)),
      curve_(std::move(curve)),
      judge_(curve_.has_value()) {}

tl::expected<void, Error> BrokerLink::open() {
  dealer_.reset();
  net::SocketTuning tuning;
  tuning.send_high_water = kSendHighWater;
  tuning.curve_client = curve_;
  auto fresh = std::make_unique<net::DealerSocket>(context_, tuning);
  if (auto connected = fresh->connect(endpoint_); !connected) return connected;
  dealer_ = std::move(fresh);
  return {};
}

void BrokerLink::close(Millis linger) {
  if (!dealer_) return;
  dealer_->native().set(zmq::sockopt::linger, static_cast<int>(linger.count()));
  dealer_.reset();
}

tl::expected<BrokerLink::Sent, Error> BrokerLink::send(const Send& send) {
  if (!dealer_) return Sent::unwritable;
  const std::uint16_t flags = send.resend ? protocol::kFlagResend : 0;
  auto encoded = protocol::encode(send.message, send.correlation, send.session, flags);
  if (!encoded) return tl::unexpected(std::move(encoded.error()));
  const bool sent = dealer_->send(*encoded) == net::SendStatus::sent;
  return sent ? Sent::queued : Sent::unwritable;
}

std::optional<Error> BrokerLink::refusal() {
  while (dealer_) {
    const auto outcome = dealer_->handshakes().next();
    if (!outcome) return std::nullopt;
    if (auto error = judge_.judge(*outcome, heard_broker_)) return error;
  }
  return std::nullopt;
}

std::optional<Command> BrokerLink::receive() {
  if (!dealer_ || !dealer_->receive(received_)) return std::nullopt;
  heard_broker_ = true;
  if (received_.oversized) {
    return command::MalformedReceived{{ErrorCode::too_big, "too many frames", "frames"}};
  }
  auto decoded = protocol::decode(received_.frames());
  if (!decoded) return command::MalformedReceived{std::move(decoded.error())};
  return command::MessageReceived{decoded->header.session, decoded->header.correlation,
                                  std::move(decoded->message)};
}

}  // namespace taskpipe::worker
