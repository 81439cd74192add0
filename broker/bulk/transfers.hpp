// The bulk port as a state machine: who may speak, which files go up and down, and how far each
// side may be ahead. Pure but for the store, which is behind a seam.
//
// What bounds its memory: an upload's peer sends no more than limits::kBulkWindowBytes ahead of
// what the store has taken, and limits::kMaxActivePuts may do so at a time; a download is read only
// when its peer has granted credit for it, while less than limits::kMaxBulkQueueBytes wait for
// peers.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <string>
#include <unordered_map>

#include <tl/expected.hpp>

#include "broker/bulk/blob_access.hpp"
#include "broker/bulk/bulk_peers.hpp"
#include "broker/bulk/uploads.hpp"
#include "common/model/error.hpp"
#include "common/model/ids.hpp"
#include "common/model/messages.hpp"
#include "common/model/time.hpp"

namespace taskpipe::broker {

class Transfers {
 public:
  explicit Transfers(BlobAccess& store);
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  // The loop's sessions. A peer is one of them that has shown its token.
  void session_opened(SessionId session, BulkToken token, bool may_put = true);
  void session_closed(SessionId session, BulkSends& out);

  void on_probe(std::uint64_t routing, BulkSends& out);
  // `session` and `correlation` as the header claims.
  void on_message(std::uint64_t routing, SessionId session, Correlation correlation,
                  const Message& message, MonotonicTime now, BulkSends& out);
  void on_malformed(std::uint64_t routing, Correlation correlation, const Error& error,
                    BulkSends& out);
  void on_unreachable(std::uint64_t routing, BulkSends& out);

  // The store's news.
  void on_verified(const std::string& sha256, BulkSends& out);
  void on_stored(const std::string& sha256, const tl::expected<void, Error>& stored,
                 BulkSends& out);
  void on_room_made(BulkSends& out);
  // Uploads wait for something to be evicted.
  [[nodiscard]] bool wants_room() const { return uploads_.wants_room(); }

  // Downloads go on, a piece of each in turn, while fewer than limits::kMaxBulkQueueBytes wait for
  // peers, of which `queued_bytes` did before. True when more could be sent at once.
  bool pump(std::uint64_t queued_bytes, BulkSends& out);
  // Ends transfers whose peers have been silent for limits::kBulkIdleMs.
  void tick(MonotonicTime now, BulkSends& out);

  [[nodiscard]] std::size_t peers() const { return peers_.size(); }
  [[nodiscard]] std::size_t downloads() const { return downloads_.size(); }

 private:
  struct Download {
    TransferRef to;
    std::string sha256;
    std::uint64_t size_bytes = 0;
    std::uint64_t next = 0;
    std::uint64_t credit = 0;
  };
  struct Transfer {
    std::string upload;  // its hash; empty = a download
    std::list<Download>::iterator download;
    MonotonicTime heard;
  };
  struct Peer {
    SessionId session;
    std::map<Correlation, Transfer> transfers;
    std::size_t malformed = 0;
  };
  using Peers = std::unordered_map<std::uint64_t, Peer>;
  struct Handle;

  void hello(std::uint64_t routing, SessionId session, Correlation correlation,
             const BulkHello& hello, BulkSends& out);
  void put(const TransferRef& from, Peer& peer, const Put& put, MonotonicTime now);
  void get(const TransferRef& from, Peer& peer, const Get& get, MonotonicTime now);
  [[nodiscard]] bool admits(const TransferRef& from, const Peer& peer);
  void tell(const TransferRef& to, Message message, bool last);
  void forget(const TransferRef& transfer);
  void drop_transfer(const TransferRef& transfer);
  void drop_peer(std::uint64_t routing);

  BlobAccess& store_;
  struct Session {
    BulkToken token;
    bool may_put = true;
  };
  std::unordered_map<SessionId, Session> sessions_;
  struct Connection {
    std::uint64_t number = 0;
    std::uint64_t routing = 0;
  };
  std::unordered_map<SessionId, std::deque<Connection>> connections_;  // the oldest first
  Peers peers_;
  std::list<Download> downloads_;
  BulkSends* out_ = nullptr;  // of the present call
  Uploads uploads_;
};

}  // namespace taskpipe::broker
