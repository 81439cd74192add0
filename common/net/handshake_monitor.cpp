#include "common/net/handshake_monitor.hpp"

#include <atomic>
#include <cstring>
#include <string>
#include <zmq.hpp>

#include "common/model/limits.hpp"
#include "common/net/frame_io.hpp"
#include "common/net/socket.hpp"

namespace taskpipe::net {
namespace {

constexpr int kEvents = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                        ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;

std::string fresh_address() {
  static std::atomic<std::uint64_t> count{0};
  return "inproc://taskpipe-handshakes-" + std::to_string(++count);
}

std::optional<Handshake> meaning_of(std::uint16_t event, std::uint32_t value) {
  switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: return Handshake::succeeded;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: return Handshake::refused;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      return value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH ? Handshake::mismatch
                                                                 : Handshake::hung_up;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: return Handshake::hung_up;
    default: return std::nullopt;
  }
}

}  // namespace

std::optional<Error> HandshakeJudge::judge(Handshake outcome, bool knows_broker) {
  const auto denied = [](std::string text) {
    return Error{ErrorCode::denied, std::move(text), "join", {}};
  };
  switch (outcome) {
    case Handshake::succeeded: hung_up_ = 0; return std::nullopt;
    case Handshake::refused:
      return denied(
          "the broker does not admit this key to this port: it is unknown, or was revoked, or its "
          "role has no business there; ask the administrator for another join file ('taskpipe "
          "keygen' makes one)");
    case Handshake::mismatch:
      if (has_keys_) {
        return denied(
            "this side has keys and the broker has none; start the broker with --keys, or leave "
            "out --join");
      }
      return denied("the broker admits only peers with keys; give --join FILE (or TASKPIPE_JOIN)");
    case Handshake::hung_up:
      if (!has_keys_ || ++hung_up_ < limits::kMaxVagueHandshakes || knows_broker) {
        return std::nullopt;
      }
      return denied(
          "the broker hangs up during the handshake: its key is not the one that the join file "
          "tells, or it has none; check the address, or ask the administrator for another join "
          "file");
  }
  return std::nullopt;
}

HandshakeMonitor::HandshakeMonitor(Context& context, zmq::socket_t& socket)
    : socket_(socket),
      events_(std::make_unique<zmq::socket_t>(context.native(), zmq::socket_type::pair)) {
  const std::string address = fresh_address();
  events_->set(zmq::sockopt::linger, 0);
  if (::zmq_socket_monitor(socket_.handle(), address.c_str(), kEvents) != 0) throw zmq::error_t();
  events_->connect(address);
}

HandshakeMonitor::~HandshakeMonitor() {
  static_cast<void>(::zmq_socket_monitor(socket_.handle(), nullptr, 0));
}

std::optional<Handshake> HandshakeMonitor::next() {
  zmq::message_t frame;
  while (receive_frame(*events_, frame)) {
    std::uint16_t event = 0;
    std::uint32_t value = 0;
    if (frame.size() == sizeof event + sizeof value) {
      std::memcpy(&event, frame.data(), sizeof event);
      std::memcpy(&value, frame.data<char>() + sizeof event, sizeof value);
    }
    discard_rest(*events_, frame);  // the address
    if (const auto meaning = meaning_of(event, value)) return meaning;
  }
  return std::nullopt;
}

}  // namespace taskpipe::net
