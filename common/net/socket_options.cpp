#include "common/net/socket_options.hpp"

#include <cerrno>
#include <stdexcept>

#include "common/model/limits.hpp"
#include "common/net/endpoint.hpp"

namespace taskpipe::net {
namespace {

// Dead peers are noticed by keepalive after 15 + 4 × 5 s of silence, and by the retransmission
// limit while data is queued, which keepalive does not bound.
constexpr int kKeepaliveIdleS = 15;
constexpr int kKeepaliveIntervalS = 5;
constexpr int kKeepaliveCount = 4;
constexpr int kRetransmitLimitMs = 20'000;
constexpr int kHandshakeMs = 10'000;
constexpr int kBacklog = 4096;  // a cluster that reconnects after a restart
// ZMQ_ZAP_ENFORCE_DOMAIN: libzmq 4.3 has it, its header does not name it outside the draft API.
constexpr int kZapEnforceDomain = 93;

template <class Key>
zmq::const_buffer buffer_of(const Key& key) {
  return zmq::buffer(key.bytes());
}

}  // namespace

void set_common_options(zmq::socket_t& socket, const SocketTuning& tuning) {
  socket.set(zmq::sockopt::sndhwm, tuning.send_high_water);
  socket.set(zmq::sockopt::rcvhwm, tuning.receive_high_water);
  socket.set(zmq::sockopt::linger, tuning.linger_ms);
  socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(limits::kMaxFrameBytes));
  socket.set(zmq::sockopt::heartbeat_ivl, 0);
  socket.set(zmq::sockopt::tcp_keepalive, 1);
  socket.set(zmq::sockopt::tcp_keepalive_idle, kKeepaliveIdleS);
  socket.set(zmq::sockopt::tcp_keepalive_intvl, kKeepaliveIntervalS);
  socket.set(zmq::sockopt::tcp_keepalive_cnt, kKeepaliveCount);
  socket.set(zmq::sockopt::tcp_maxrt, kRetransmitLimitMs);
  socket.set(zmq::sockopt::handshake_ivl, kHandshakeMs);
}

void set_listener_options(zmq::socket_t& socket, const SocketTuning& tuning) {
  socket.set(zmq::sockopt::backlog, kBacklog);
  if (!tuning.curve_server) return;
  socket.set(zmq::sockopt::curve_server, true);
  socket.set(zmq::sockopt::curve_publickey, buffer_of(tuning.curve_server->keys.public_key));
  socket.set(zmq::sockopt::curve_secretkey, buffer_of(tuning.curve_server->keys.secret_key));
  socket.set(zmq::sockopt::zap_domain, tuning.curve_server->domain);
  const int enforce = 1;
  if (::zmq_setsockopt(socket.handle(), kZapEnforceDomain, &enforce, sizeof enforce) != 0) {
    throw std::runtime_error("this libzmq cannot enforce authentication; install 4.3 or newer");
  }
}

void set_connector_options(zmq::socket_t& socket, const SocketTuning& tuning) {
  socket.set(zmq::sockopt::reconnect_ivl, tuning.reconnect_first_ms);
  socket.set(zmq::sockopt::reconnect_ivl_max, tuning.reconnect_max_ms);
  socket.set(zmq::sockopt::connect_timeout, static_cast<int>(limits::kConnectTimeoutMs));
  if (!tuning.curve_client) return;
  socket.set(zmq::sockopt::curve_serverkey, buffer_of(tuning.curve_client->server_key));
  socket.set(zmq::sockopt::curve_publickey, buffer_of(tuning.curve_client->keys.public_key));
  socket.set(zmq::sockopt::curve_secretkey, buffer_of(tuning.curve_client->keys.secret_key));
}

tl::expected<void, Error> bind_socket(zmq::socket_t& socket, const std::string& endpoint) {
  if (has_bad_port(endpoint)) return tl::unexpected(bind_error(endpoint, EINVAL));
  if (is_ipc_in_use(endpoint)) return tl::unexpected(bind_error(endpoint, EADDRINUSE));
  try {
    socket.set(zmq::sockopt::ipv6, is_ipv6(endpoint) ? 1 : 0);
    socket.bind(endpoint);
  } catch (const zmq::error_t& failure) {
    return tl::unexpected(bind_error(endpoint, failure.num()));
  }
  return {};
}

tl::expected<void, Error> connect_socket(zmq::socket_t& socket, const std::string& endpoint) {
  const auto numeric = resolve(endpoint);
  if (!numeric) return tl::unexpected(numeric.error());
  try {
    socket.set(zmq::sockopt::ipv6, is_ipv6(*numeric) ? 1 : 0);
    socket.connect(*numeric);
  } catch (const zmq::error_t& failure) {
    return tl::unexpected(
        Error{ErrorCode::invalid,
              "broker '" + endpoint + "' cannot be connected to: " + failure.what(),
              "broker",
              {}});
  }
  return {};
}

}  // namespace taskpipe::net
