// Which options every socket gets, in one place. Private to common/net.
#pragma once

#include <zmq.hpp>

#include "common/net/socket.hpp"

namespace taskpipe::net {

// Before bind or connect: water marks, linger, caps, keepalive. No ZMTP heartbeats: a ROUTER that
// sends them aborts the process when a peer with full queues closes (libzmq 4.3.4), and a merely
// slow peer is cut off; liveness is the protocol's own PING.
void set_common_options(zmq::socket_t& socket, const SocketTuning& tuning);

// For what listens: backlog, and keys. With keys it fails closed: where nobody answers for the
// domain, nobody is admitted.
void set_listener_options(zmq::socket_t& socket, const SocketTuning& tuning);

// For what connects: back-off of reconnects, the time that one attempt may take, and keys.
void set_connector_options(zmq::socket_t& socket, const SocketTuning& tuning);

// Binds with the options that the endpoint itself asks for.
[[nodiscard]] tl::expected<void, Error> bind_socket(zmq::socket_t& socket,
                                                    const std::string& endpoint);
[[nodiscard]] tl::expected<void, Error> connect_socket(zmq::socket_t& socket,
                                                       const std::string& endpoint);

}  // namespace taskpipe::net
