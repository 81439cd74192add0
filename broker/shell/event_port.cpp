#include "broker/shell/event_port.hpp"

#include <utility>

#include "common/model/limits.hpp"
#include "common/protocol/codec.hpp"

namespace taskpipe::broker {

EventPort::EventPort(net::Context& context)
    : socket_(context, net::SocketTuning{.send_high_water = limits::kEventSendHighWater}) {}

tl::expected<void, Error> EventPort::bind(const std::string& endpoint) {
  return socket_.bind(endpoint);
}

std::size_t EventPort::drain(std::size_t most, std::vector<Command>& out) {
  net::XpubSocket::Subscription subscription;
  std::size_t count = 0;
  while (count < most && socket_.receive(subscription)) {
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
  socket_.publish(protocol::encode_events(std::move(publish.topic), publish.events));
}

}  // namespace taskpipe::broker
