// The handler of the ZeroMQ Authentication Protocol (RFC 27): decides for every handshake in this
// process who is admitted.
//
// Make it before any socket with keys is bound. It has a thread of its own, which answers from what
// `decide` knows and must never wait: a handler that hangs keeps everybody out.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/net/socket.hpp"
#include "common/security/keys.hpp"

namespace taskpipe::net {

// A handshake that is complete but for the verdict: the peer has proved that it has the key.
struct ZapRequest {
  std::string domain;   // as CurveServer::domain of the socket
  std::string address;  // of the peer, without port
  security::PublicKey key;
};

class ZapServer {
 public:
  // True admits. Called on the server's thread.
  using Decide = std::function<bool(const ZapRequest&)>;

  // Throws zmq::error_t when the context has a handler already.
  ZapServer(Context& context, Decide decide);
  ZapServer(const ZapServer&) = delete;
  ZapServer& operator=(const ZapServer&) = delete;
  // Nobody is admitted any more.
  ~ZapServer();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace taskpipe::net
