// Client: its life, and connecting.
#include "taskpipe/client.hpp"

#include <utility>

#include "client/src/call_errors.hpp"
#include "client/src/client_impl.hpp"

namespace taskpipe {

Client::Client(ClientOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {}

Client::~Client() { impl_->close(); }

void Client::close() { impl_->close(); }

CallResult<ConnectionInfo> Client::connect(const CallOptions& options) {
  ConnectionInfo info;
  const auto on_delivery = [&](client::CallId, client::Delivery&& what) {
    if (const auto* connected = std::get_if<client::delivery::Connected>(&what)) {
      const Welcome& welcome = connected->welcome;
      info = ConnectionInfo{impl_->broker_endpoint(),
                            impl_->event_endpoint(welcome),
                            impl_->bulk_endpoint(welcome.bulk_endpoint),
                            welcome.broker,
                            welcome.epoch,
                            welcome.session,
                            welcome.heartbeat_ms,
                            welcome.lease_ms,
                            welcome.role,
                            welcome.user};
    }
    return true;
  };
  const Millis timeout = options.timeout.value_or(impl_->options().connect_timeout);
  auto done = impl_->run(client::command::Connect{}, timeout, options, on_delivery);
  if (!done) return tl::unexpected(std::move(done.error()));
  return info;
}

}  // namespace taskpipe
