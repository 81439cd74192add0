#include "broker/bulk/transfers.hpp"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "common/model/limits.hpp"

namespace taskpipe::broker {
namespace {

constexpr std::size_t kPiecesPerTurn = 32;

// Sets the place for answers while a call lasts.
class Answering {
 public:
  Answering(BulkSends*& place, BulkSends& out) : place_(place) { place_ = &out; }
  Answering(const Answering&) = delete;
  Answering& operator=(const Answering&) = delete;
  ~Answering() { place_ = nullptr; }

 private:
  BulkSends*& place_;
};

}  // namespace

Transfers::Transfers(BlobAccess& store)
    : store_(store), uploads_(store, [this](const TransferRef& to, Message message, bool last) {
        tell(to, std::move(message), last);
      }) {}

void Transfers::session_opened(SessionId session, BulkToken token, bool may_put) {
  sessions_[session] = Session{token, may_put};
}

void Transfers::session_closed(SessionId session, BulkSends& out) {
  const Answering answering(out_, out);
  sessions_.erase(session);
  while (true) {
    const auto open = connections_.find(session);
    if (open == connections_.end()) return;
    drop_peer(open->second.front().routing);
  }
}

void Transfers::on_probe(std::uint64_t routing, BulkSends& out) {
  out.push_back({{routing, Correlation{}}, SessionId{}, Who{}});
}

void Transfers::hello(std::uint64_t routing, SessionId session, Correlation correlation,
                      const BulkHello& hello, BulkSends& out) {
  const auto known = sessions_.find(session);
  if (known == sessions_.end() || known->second.token != hello.token || hello.token.is_nil()) {
    out.push_back({{routing, correlation},
                   SessionId{},
                   ErrorReply{{ErrorCode::not_registered,
                               "there is no such session, or the token is not its own; take both "
                               "from the newest WELCOME",
                               "token"}}});
    return;
  }
  const Answering answering(out_, out);
  // It has connected anew, or another session was shown on this connection before.
  drop_peer(routing);
  if (const auto open = connections_.find(session); open != connections_.end()) {
    const auto former =
        std::find_if(open->second.begin(), open->second.end(),
                     [&](const Connection& c) { return c.number == hello.connection; });
    if (former != open->second.end()) {
      drop_peer(former->routing);
    } else if (open->second.size() >= limits::kMaxBulkConnections) {
      drop_peer(open->second.front().routing);
    }
  }
  peers_[routing].session = session;
  connections_[session].push_back({hello.connection, routing});
  out.push_back({{routing, correlation},
                 session,
                 BulkWelcome{static_cast<std::uint32_t>(limits::kBulkChunkBytes),
                             static_cast<std::uint32_t>(limits::kMaxTransfersPerPeer)}});
}

struct Transfers::Handle {
  Transfers& all;
  TransferRef from;
  Peer& peer;
  MonotonicTime now;

  void operator()(const Put& m) const { all.put(from, peer, m, now); }
  void operator()(const Get& m) const { all.get(from, peer, m, now); }
  void operator()(const PutData& m) const {
    const auto transfer = heard();
    if (transfer == nullptr || transfer->upload.empty()) return;  // it is over, or was given up
    const std::string sha256 = transfer->upload;
    if (all.uploads_.on_data(from, sha256, m)) return;
    all.tell(
        from,
        ErrorReply{{ErrorCode::flow,
                    "this piece is not the next one, or beyond what PUT_STATE allowed", "offset"}},
        false);
    all.drop_transfer(from);
  }
  void operator()(const GetCredit& m) const {
    const auto transfer = heard();
    if (transfer == nullptr || !transfer->upload.empty()) return;
    Download& download = *transfer->download;
    download.credit = std::clamp(m.credit, download.credit,
                                 std::max(download.credit, download.next + most_credit()));
  }
  void operator()(const BulkCancel&) const { all.drop_transfer(from); }
  template <class Other>
  void operator()(const Other&) const {
    all.tell(from, ErrorReply{{ErrorCode::denied, "this message is not for the bulk port", "type"}},
             false);
  }
  [[nodiscard]] static std::uint64_t most_credit() { return 4 * limits::kBulkWindowBytes; }

 private:
  [[nodiscard]] Transfer* heard() const {
    const auto transfer = peer.transfers.find(from.correlation);
    if (transfer == peer.transfers.end()) return nullptr;
    transfer->second.heard = now;
    return &transfer->second;
  }
};

void Transfers::on_message(std::uint64_t routing, SessionId session, Correlation correlation,
                           const Message& message, MonotonicTime now, BulkSends& out) {
  if (const auto* greeting = std::get_if<BulkHello>(&message)) {
    return hello(routing, session, correlation, *greeting, out);
  }
  const auto peer = peers_.find(routing);
  if (peer == peers_.end() || peer->second.session != session) return on_probe(routing, out);
  const Answering answering(out_, out);
  std::visit(Handle{*this, {routing, correlation}, peer->second, now}, message);
}

void Transfers::on_malformed(std::uint64_t routing, Correlation correlation, const Error& error,
                             BulkSends& out) {
  const auto peer = peers_.find(routing);
  const bool known = peer != peers_.end();
  out.push_back(
      {{routing, correlation}, known ? peer->second.session : SessionId{}, ErrorReply{error}});
  if (!known) return;
  if (++peer->second.malformed < limits::kMaxMalformedPerSession) return;
  const Answering answering(out_, out);
  drop_peer(routing);
}

bool Transfers::admits(const TransferRef& from, const Peer& peer) {
  if (peer.transfers.contains(from.correlation)) {
    tell(from,
         ErrorReply{{ErrorCode::invalid, "a transfer with this number is open", "correlation"}},
         false);
    return false;
  }
  if (peer.transfers.size() < limits::kMaxTransfersPerPeer) return true;
  tell(from,
       ErrorReply{{ErrorCode::busy, "too many transfers at a time", {}, limits::kBusyRetryMs}},
       false);
  return false;
}

void Transfers::put(const TransferRef& from, Peer& peer, const Put& put, MonotonicTime now) {
  const auto session = sessions_.find(peer.session);
  if (session == sessions_.end() || !session->second.may_put) {
    return tell(from,
                ErrorReply{{ErrorCode::denied, "your key may read, and bring nothing", "type"}},
                false);
  }
  if (!admits(from, peer)) return;
  peer.transfers.emplace(from.correlation, Transfer{put.sha256, {}, now});
  uploads_.put(from, put);
}

void Transfers::get(const TransferRef& from, Peer& peer, const Get& get, MonotonicTime now) {
  if (!admits(from, peer)) return;
  auto size = store_.look_up(get.sha256);
  if (size && get.offset > *size) {
    size = tl::unexpected(
        Error{ErrorCode::invalid, "the file has " + std::to_string(*size) + " bytes", "offset"});
  }
  if (!size) return tell(from, ErrorReply{std::move(size.error())}, false);
  if (get.offset == *size) return tell(from, GetData{get.offset, *size, {}}, false);
  Download download{from, get.sha256, *size, get.offset,
                    std::min(get.credit, get.offset + Handle::most_credit())};
  downloads_.push_back(std::move(download));
  peer.transfers.emplace(from.correlation, Transfer{"", std::prev(downloads_.end()), now});
}

void Transfers::tell(const TransferRef& to, Message message, bool last) {
  const auto peer = peers_.find(to.routing);
  if (peer == peers_.end()) return;
  if (out_ != nullptr) out_->push_back({to, peer->second.session, std::move(message)});
  if (last) forget(to);
}

void Transfers::forget(const TransferRef& transfer) {
  const auto peer = peers_.find(transfer.routing);
  if (peer != peers_.end()) peer->second.transfers.erase(transfer.correlation);
}

void Transfers::drop_transfer(const TransferRef& ref) {
  const auto peer = peers_.find(ref.routing);
  if (peer == peers_.end()) return;
  const auto node = peer->second.transfers.extract(ref.correlation);
  if (node.empty()) return;
  if (node.mapped().upload.empty()) {
    downloads_.erase(node.mapped().download);
  } else {
    uploads_.leave(ref, node.mapped().upload);
  }
}

void Transfers::drop_peer(std::uint64_t routing) {
  const auto peer = peers_.find(routing);
  if (peer == peers_.end()) return;
  std::vector<Correlation> numbers;
  for (const auto& [correlation, transfer] : peer->second.transfers) numbers.push_back(correlation);
  for (const Correlation correlation : numbers) drop_transfer({routing, correlation});
  const auto open = connections_.find(peer->second.session);
  std::erase_if(open->second, [&](const Connection& c) { return c.routing == routing; });
  if (open->second.empty()) connections_.erase(open);
  peers_.erase(peer);
}

void Transfers::on_unreachable(std::uint64_t routing, BulkSends& out) {
  const Answering answering(out_, out);
  drop_peer(routing);
}

void Transfers::on_verified(const std::string& sha256, BulkSends& out) {
  const Answering answering(out_, out);
  uploads_.on_verified(sha256);
}

void Transfers::on_stored(const std::string& sha256, const tl::expected<void, Error>& stored,
                          BulkSends& out) {
  const Answering answering(out_, out);
  uploads_.on_stored(sha256, stored);
}

void Transfers::on_room_made(BulkSends& out) {
  const Answering answering(out_, out);
  uploads_.on_room_made();
}

bool Transfers::pump(std::uint64_t queued_bytes, BulkSends& out) {
  const Answering answering(out_, out);
  std::size_t pieces = 0;
  bool more = true;
  while (more) {
    more = false;
    for (auto it = downloads_.begin(); it != downloads_.end();) {
      Download& download = *it++;  // it may be over behind this
      const std::uint64_t end = std::min(download.credit, download.size_bytes);
      if (download.next >= end) continue;
      if (queued_bytes >= limits::kMaxBulkQueueBytes) return false;
      if (pieces++ == kPiecesPerTurn) return true;
      const auto length = std::min<std::uint64_t>(limits::kBulkChunkBytes, end - download.next);
      auto data = store_.read(download.sha256, download.next, static_cast<std::size_t>(length));
      const TransferRef to = download.to;
      if (!data) {
        drop_transfer(to);
        tell(to, ErrorReply{std::move(data.error())}, false);
        continue;
      }
      const std::uint64_t offset = download.next;
      const std::uint64_t size = download.size_bytes;
      download.next += data->size();
      queued_bytes += data->size();
      more = true;
      tell(to, GetData{offset, size, std::move(*data)}, false);
      if (offset + length == size) drop_transfer(to);
    }
  }
  return false;
}

void Transfers::tick(MonotonicTime now, BulkSends& out) {
  const Answering answering(out_, out);
  std::vector<TransferRef> silent;
  for (const auto& [routing, peer] : peers_) {
    for (const auto& [correlation, transfer] : peer.transfers) {
      if (now - transfer.heard >= Millis(limits::kBulkIdleMs)) {
        silent.push_back({routing, correlation});
      }
    }
  }
  for (const TransferRef& ref : silent) {
    tell(ref,
         ErrorReply{
             {ErrorCode::busy, "the transfer stood still for too long", {}, limits::kBusyRetryMs}},
         false);
    drop_transfer(ref);
  }
}

}  // namespace taskpipe::broker
