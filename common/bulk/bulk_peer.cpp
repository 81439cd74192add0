#include "common/bulk/bulk_peer.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "common/model/limits.hpp"
#include "common/process/clock.hpp"
#include "common/process/random.hpp"
#include "common/protocol/codec.hpp"

namespace taskpipe::bulk {
namespace {

constexpr Millis kLook{50};             // between looks at whether to go on
constexpr Millis kReconnectPause{200};  // while there is no session
constexpr std::size_t kPiecesPerTurn = 16;
constexpr int kSendHighWater = 64;

MonotonicTime now() { return process::read_clock().monotonic; }

}  // namespace

// One file of a call, in either direction.
struct BulkPeer::Transfer {
  std::variant<Upload, Download> file;
  std::size_t index = 0;  // in the call
  Correlation correlation;
  bool started = false;
  MonotonicTime not_before;  // after BUSY
  std::optional<Result> result;

  [[nodiscard]] bool active() const { return started && !result; }
  [[nodiscard]] std::uint64_t done_bytes() const {
    const auto* upload = std::get_if<Upload>(&file);
    return upload != nullptr ? upload->taken_bytes() : std::get<Download>(file).written_bytes();
  }
};

BulkPeer::BulkPeer(net::Context& context, AccessSource access)
    : context_(context), source_(std::move(access)), connection_(process::random_u64()) {}

BulkPeer::~BulkPeer() = default;

std::vector<BulkPeer::Result> BulkPeer::put(std::vector<UploadFile> files,
                                            const Patience& patience) {
  std::vector<Transfer> transfers;
  transfers.reserve(files.size());
  for (auto& file : files) {
    transfers.push_back({Upload(std::move(file)), transfers.size(), {}, false, {}, {}});
  }
  return run(transfers, patience);
}

std::vector<BulkPeer::Result> BulkPeer::get(std::vector<DownloadFile> files,
                                            const Patience& patience) {
  std::vector<Transfer> transfers;
  transfers.reserve(files.size());
  for (auto& file : files) {
    Download download(std::move(file));
    auto prepared = download.prepare();
    transfers.push_back({std::move(download), transfers.size(), {}, false, {}, {}});
    if (!prepared) transfers.back().result = std::move(prepared);
  }
  return run(transfers, patience);
}

std::vector<BulkPeer::Result> BulkPeer::run(std::vector<Transfer>& transfers,
                                            const Patience& patience) {
  begun_at_ = now();
  no_port_ = false;
  progressed();
  heard_at_ = now();
  for (Transfer& transfer : transfers) {
    if (std::holds_alternative<Download>(transfer.file) && !transfer.result) {
      settle_download(transfer);
    }
  }
  const auto open = [](const Transfer& transfer) { return !transfer.result; };
  while (std::any_of(transfers.begin(), transfers.end(), open)) {
    if (const auto why = out_of_patience(patience)) {
      for (Transfer& transfer : transfers) {
        if (!transfer.result) transfer.result = tl::unexpected(*why);
        if (transfer.started && state_ == State::ready) {
          static_cast<void>(send(transfer.correlation, BulkCancel{}));
        }
      }
      break;
    }
    if (state_ == State::closed) connect();
    if (!poller_) {
      net::Poller nothing;
      nothing.wait(kReconnectPause);
      continue;
    }
    poller_->wait(kLook);
    drain(transfers, patience);
    if (state_ == State::ready) {
      start_more(transfers);
      send_pieces(transfers);
    }
    if (state_ != State::closed && now() - heard_at_ > Millis(limits::kBulkReplyMs)) disconnect();
  }
  std::vector<Result> results;
  results.reserve(transfers.size());
  for (Transfer& transfer : transfers) results.push_back(std::move(*transfer.result));
  return results;
}

std::optional<Error> BulkPeer::out_of_patience(const Patience& patience) const {
  if (patience.keep_going && !patience.keep_going()) {
    return Error{ErrorCode::shutting_down, "the transfer was given up", {}};
  }
  if (no_port_) {
    return Error{ErrorCode::unsupported,
                 "the broker has no bulk port, or none that can be reached from here",
                 {}};
  }
  if (patience.in_all && now() - begun_at_ >= *patience.in_all) {
    return Error{ErrorCode::flow, "the transfer took too long", {}};
  }
  if (now() - progress_at_ < patience.without_progress) return std::nullopt;
  return Error{ErrorCode::busy,
               "the broker's store could not be reached, or did not answer, for " +
                   std::to_string(patience.without_progress.count()) + " ms",
               {}};
}

void BulkPeer::progressed() { progress_at_ = now(); }

void BulkPeer::connect() {
  if (now() < retry_at_) return;
  retry_at_ = now() + kReconnectPause;
  access_ = source_();
  no_port_ = access_ && access_->endpoint.empty();
  if (!access_ || no_port_) return;
  net::SocketTuning tuning;
  tuning.send_high_water = kSendHighWater;
  tuning.reconnect_first_ms = 250;
  tuning.reconnect_max_ms = 1000;
  tuning.curve_client = access_->curve;
  auto dealer = std::make_unique<net::DealerSocket>(context_, tuning);
  if (!dealer->connect(access_->endpoint)) return;
  dealer_ = std::move(dealer);
  poller_ = std::make_unique<net::Poller>();
  poller_->add(dealer_->native());
  state_ = State::connecting;
  heard_at_ = now();
}

void BulkPeer::disconnect() {
  poller_.reset();
  dealer_.reset();
  state_ = State::closed;
}

bool BulkPeer::send(Correlation correlation, const Message& message) {
  if (!dealer_ || !access_) return false;
  auto encoded = protocol::encode(message, correlation, access_->session);
  return encoded && dealer_->send(std::move(*encoded)) == net::SendStatus::sent;
}

void BulkPeer::drain(std::vector<Transfer>& transfers, const Patience& patience) {
  while (dealer_ && dealer_->receive(received_)) {
    heard_at_ = now();
    const auto frames = received_.frames();
    auto decoded = protocol::decode(frames);
    if (!decoded) continue;  // of a broker that speaks otherwise: silence ends it
    on_message(transfers, decoded->header.correlation, std::move(decoded->message), patience);
  }
}

void BulkPeer::on_message(std::vector<Transfer>& transfers, Correlation correlation,
                          Message message, const Patience& patience) {
  if (std::holds_alternative<Who>(message)) return greet();
  if (std::holds_alternative<BulkWelcome>(message)) {
    state_ = State::ready;
    return restart(transfers);
  }
  if (const auto* error = std::get_if<ErrorReply>(&message)) {
    return on_error(transfers, correlation, error->error);
  }
  const auto found = std::find_if(transfers.begin(), transfers.end(), [&](const Transfer& t) {
    return t.active() && t.correlation == correlation;
  });
  if (found == transfers.end()) return;
  const std::uint64_t before = found->done_bytes();
  if (const auto* state = std::get_if<PutState>(&message)) {
    if (auto* upload = std::get_if<Upload>(&found->file)) {
      upload->on_state(*state);
      if (upload->done()) found->result = Result{};
      if (upload->done()) progressed();
    }
  } else if (const auto* data = std::get_if<GetData>(&message)) {
    if (auto* download = std::get_if<Download>(&found->file)) {
      auto credit = download->on_data(*data);
      if (!credit) {
        found->result = tl::unexpected(std::move(credit.error()));
        static_cast<void>(send(correlation, BulkCancel{}));
      } else if (*credit) {
        static_cast<void>(send(correlation, **credit));
      }
      if (!found->result) settle_download(*found);
    }
  }
  if (found->done_bytes() == before) return;
  progressed();
  if (patience.on_progress) patience.on_progress(found->index, found->done_bytes());
}

void BulkPeer::greet() {
  const auto access = source_();
  if (!access) return disconnect();
  if (access->endpoint != access_->endpoint) return disconnect();
  access_ = access;
  state_ = State::greeting;
  if (!send(Correlation{}, BulkHello{access_->token, connection_})) disconnect();
}

void BulkPeer::on_error(std::vector<Transfer>& transfers, Correlation correlation,
                        const Error& error) {
  if (error.code == ErrorCode::not_registered || error.code == ErrorCode::denied) {
    // The session is over, or not known there yet: with the next one it goes on.
    return disconnect();
  }
  for (Transfer& transfer : transfers) {
    if (!transfer.active() || transfer.correlation != correlation) continue;
    if (error.code == ErrorCode::busy || error.code == ErrorCode::flow) {
      transfer.started = false;
      transfer.not_before = now() + Millis(error.retry_ms.value_or(limits::kBusyRetryMs));
      return;
    }
    auto* upload = std::get_if<Upload>(&transfer.file);
    const bool other_content = error.code == ErrorCode::invalid && error.field == "sha256";
    if (upload != nullptr && other_content && upload->may_start_over()) {
      return start(transfer);
    }
    transfer.result = tl::unexpected(error);
  }
}

void BulkPeer::restart(std::vector<Transfer>& transfers) {
  for (Transfer& transfer : transfers) transfer.started = false;
  start_more(transfers);
}

void BulkPeer::start_more(std::vector<Transfer>& transfers) {
  auto active = static_cast<std::size_t>(std::count_if(
      transfers.begin(), transfers.end(), [](const Transfer& t) { return t.active(); }));
  for (Transfer& transfer : transfers) {
    if (active >= limits::kTransfersInFlight) return;
    if (transfer.started || transfer.result || now() < transfer.not_before) continue;
    start(transfer);
    ++active;
  }
}

void BulkPeer::start(Transfer& transfer) {
  transfer.started = true;
  // Another number each time: what still comes for an earlier one is of no interest.
  transfer.correlation = Correlation(++last_correlation_);
  auto* upload = std::get_if<Upload>(&transfer.file);
  Message first = upload != nullptr ? Message(upload->begin())
                                    : Message(std::get<Download>(transfer.file).begin());
  if (!send(transfer.correlation, first)) disconnect();
}

void BulkPeer::send_pieces(std::vector<Transfer>& transfers) {
  std::size_t pieces = 0;
  bool more = true;
  // A piece of each in turn.
  while (more && pieces < kPiecesPerTurn && state_ == State::ready) {
    more = false;
    for (Transfer& transfer : transfers) {
      auto* upload = std::get_if<Upload>(&transfer.file);
      if (upload == nullptr || !transfer.active()) continue;
      auto piece = upload->next();
      if (!piece) {
        transfer.result = tl::unexpected(std::move(piece.error()));
        static_cast<void>(send(transfer.correlation, BulkCancel{}));
        continue;
      }
      if (!*piece) continue;
      more = true;
      ++pieces;
      sent_bytes_ += (*piece)->data.size();
      if (!send(transfer.correlation, std::move(**piece))) return disconnect();
    }
  }
}

void BulkPeer::settle_download(Transfer& transfer) {
  auto& download = std::get<Download>(transfer.file);
  if (!download.complete()) return;
  progressed();
  auto finished = download.finish();
  if (finished) {
    transfer.result = Result{};
  } else if (finished.error().code == ErrorCode::invalid && download.may_start_over()) {
    // What an earlier download had left was not the beginning of this file.
    if (transfer.started && state_ == State::ready) start(transfer);
  } else {
    transfer.result = std::move(finished);
  }
}

}  // namespace taskpipe::bulk
