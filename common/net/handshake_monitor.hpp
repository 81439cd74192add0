// What became of a connecting socket's handshakes.
//
// libzmq gives up for good, without a word, when the other side refuses a key or speaks another
// security mechanism, and tries again for ever when the other side merely hangs up. Neither may be
// silent: this tells which it was.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "common/model/error.hpp"

namespace zmq {
class socket_t;
}  // namespace zmq

namespace taskpipe::net {

class Context;

enum class Handshake : std::uint8_t {
  succeeded,
  refused,   // the broker knows the key not, or not for this port
  mismatch,  // one side has keys and the other has none
  hung_up,   // no reason was told: another server key, or a connection that broke just then
};

// Decides when an outcome is final, and says why in words that name the remedy.
class HandshakeJudge {
 public:
  explicit HandshakeJudge(bool has_keys) : has_keys_(has_keys) {}

  // `knows_broker`: there was a session with this very broker's key. Then a broker that hangs up
  // may merely be overloaded or about to stop; else it is one with another key, after a few times.
  [[nodiscard]] std::optional<Error> judge(Handshake outcome, bool knows_broker);

 private:
  bool has_keys_;
  std::uint32_t hung_up_ = 0;  // in a row
};

class HandshakeMonitor {
 public:
  // Before `socket` connects; it must outlive the monitor. One thread owns both.
  HandshakeMonitor(Context& context, zmq::socket_t& socket);
  HandshakeMonitor(const HandshakeMonitor&) = delete;
  HandshakeMonitor& operator=(const HandshakeMonitor&) = delete;
  ~HandshakeMonitor();

  // The next outcome; nothing when there is none (yet).
  [[nodiscard]] std::optional<Handshake> next();
  // Becomes readable when there is.
  [[nodiscard]] zmq::socket_t& native() { return *events_; }

 private:
  zmq::socket_t& socket_;
  std::unique_ptr<zmq::socket_t> events_;
};

}  // namespace taskpipe::net
