#include "broker/shell/event_port.hpp"

#include <chrono>
#include <utility>

#include "common/model/limits.hpp"
#include "common/process/clock.hpp"
#include "common/protocol/codec.hpp"

namespace taskpipe::broker {
namespace {

constexpr std::chrono::seconds kReopeningLimit{10};

}  // namespace

EventPort::EventPort(net::Context& context, const Authenticator* authenticator)
    : context_(context), authenticator_(authenticator) {
  make_socket();
}

void EventPort::make_socket() {
  net::SocketTuning tuning;
  tuning.send_high_water = limits::kEventSendHighWater;
  if (authenticator_ != nullptr) tuning.curve_server = authenticator_->curve(kEventDomain);
  socket_ = std::make_unique<net::XpubSocket>(context_, tuning);
}

tl::expected<void, Error> EventPort::bind(const std::string& endpoint) {
  auto bound = socket_->bind(endpoint);
  if (bound) endpoint_ = socket_->endpoint();
  return bound;
}

void EventPort::close() {
  socket_->unbind();
  make_socket();
  endpoint_.clear();
}

void EventPort::begin_reopening() {
  if (endpoint_.empty()) return;
  socket_->unbind();
  make_socket();
  reopening_ = true;
  reopening_since_ = process::read_clock().monotonic;
}

tl::expected<bool, Error> EventPort::finish_reopening() {
  const auto bound = socket_->bind(endpoint_);
  if (bound) {
    reopening_ = false;
    return true;
  }
  // libzmq gives the former address back on its own thread, within milliseconds.
  if (process::read_clock().monotonic - reopening_since_ < kReopeningLimit) return false;
  return tl::unexpected(bound.error());
}

std::size_t EventPort::drain(std::size_t most, std::vector<Command>& out) {
  net::XpubSocket::Subscription subscription;
  std::size_t count = 0;
  while (count < most && socket_->receive(subscription)) {
    if (subscription.added) {
      out.emplace_back(command::TopicSubscribed{std::move(subscription.topic)});
    } else {
      out.emplace_back(command::TopicUnsubscribed{std::move(subscription.topic)});
    }
    ++count;
  }
  return count;
}

void EventPort::publish(Publish publish) {
  if (reopening_) return;
  socket_->publish(protocol::encode_events(std::move(publish.topic), publish.events));
}

}  // namespace taskpipe::broker
