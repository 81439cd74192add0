#include "broker/shell/bulk_port.hpp"

#include <chrono>
#include <exception>
#include <utility>

#include "common/model/limits.hpp"
#include "common/process/clock.hpp"
#include "common/protocol/codec.hpp"
#include "common/protocol/envelope.hpp"

namespace taskpipe::broker {
namespace {

constexpr std::size_t kBulkMessagesPerTurn = 64;
constexpr Millis kQueueLook{5};  // while what is queued for peers has to become less
constexpr Millis kTick{1000};

net::SocketTuning bulk_tuning(const Authenticator* authenticator) {
  net::SocketTuning tuning;
  if (authenticator != nullptr) tuning.curve_server = authenticator->curve(kBulkDomain);
  tuning.receive_high_water = limits::kBulkReceiveHighWater;
  return tuning;
}

}  // namespace

BulkPort::BulkPort(net::Context& context, const Authenticator* authenticator,
                   process::Logger& logger)
    : logger_(logger) {
  socket_.emplace(context, bulk_tuning(authenticator));
  poller_.add(socket_->native());
  poller_.add_fd(news_.fd());
}

BulkPort::~BulkPort() {
  if (!thread_.joinable()) return;
  news_.post(Stop{});
  thread_.join();
}

tl::expected<void, Error> BulkPort::bind(const std::string& endpoint) {
  return socket_->bind(endpoint);
}

void BulkPort::start(BlobStoreOptions options) {
  thread_ = std::thread([this, options = std::move(options)] {
    open(options);
    run();
  });
}

void BulkPort::open(const BlobStoreOptions& options) {
  store_.emplace(options, process::read_clock().wall);
  transfers_.emplace(*store_);
  const BlobStoreUsage usage = store_->usage();
  logger_.info("the store is open", {{"files", std::to_string(usage.blobs)},
                                     {"bytes", std::to_string(usage.used_bytes)},
                                     {"quota", std::to_string(usage.quota_bytes)}});
  if (!store_->read_only().empty()) {
    logger_.warning("the store takes no files", {{"reason", store_->read_only()}});
  }
}

void BulkPort::run() {
  while (!stopping_) {
    try {
      turn();
    } catch (const std::exception& failure) {
      // Whatever happens to files, tasks go on.
      logger_.error("the bulk port failed in a turn", {{"reason", failure.what()}});
    }
  }
}

Millis BulkPort::poll_timeout() const {
  if (more_ || store_->verifying()) return Millis(0);
  const bool full = socket_->queued_bytes() >= limits::kMaxBulkQueueBytes;
  return full && transfers_->downloads() > 0 ? kQueueLook : kTick;
}

void BulkPort::turn() {
  poller_.wait(poll_timeout());
  now_ = process::read_clock();
  store_->set_now(now_.wall);
  take_news();
  more_ = receive_some();
  if (const auto verified = store_->verify_some()) transfers_->on_verified(*verified, sends_);
  for (const auto& stored : store_->commit()) {
    if (!stored.result) {
      logger_.warning("a file could not be stored", {{"reason", stored.result.error().text}});
    }
    transfers_->on_stored(stored.sha256, stored.result, sends_);
  }
  send_all();
  more_ = transfers_->pump(socket_->queued_bytes(), sends_) || more_;
  if (now_.monotonic - ticked_ >= kTick) {
    ticked_ = now_.monotonic;
    transfers_->tick(now_.monotonic, sends_);
    sweep();
  }
  make_room();
  send_all();
}

void BulkPort::take_news() {
  news_.take(taken_);
  for (News& news : taken_) {
    if (const auto* change = std::get_if<SessionChange>(&news)) {
      if (change->token) {
        transfers_->session_opened(change->session, *change->token, change->may_put);
      } else {
        transfers_->session_closed(change->session, sends_);
      }
    } else if (const auto* needed = std::get_if<BlobsNeeded>(&news)) {
      on_needed(*needed);
    } else {
      stopping_ = true;
    }
  }
}

bool BulkPort::receive_some() {
  for (std::size_t i = 0; i < kBulkMessagesPerTurn; ++i) {
    if (!socket_->receive(received_)) return false;
    handle();
    send_all();
  }
  return true;
}

void BulkPort::handle() {
  const std::uint64_t routing = received_.routing;
  if (received_.is_probe()) return transfers_->on_probe(routing, sends_);
  const std::vector<protocol::FrameView> frames = received_.frames();
  auto decoded = received_.oversized
                     ? tl::unexpected(Error{ErrorCode::malformed,
                                            "more frames than the protocol allows", "frames"})
                     : protocol::decode(frames);
  if (decoded) {
    // The session may have begun after the news were taken; it was told before its WELCOME left.
    if (std::holds_alternative<BulkHello>(decoded->message)) take_news();
    return transfers_->on_message(routing, decoded->header.session, decoded->header.correlation,
                                  decoded->message, now_.monotonic, sends_);
  }
  Correlation correlation;
  if (!frames.empty()) {
    if (const auto header = protocol::decode_header(frames[0])) correlation = header->correlation;
  }
  transfers_->on_malformed(routing, correlation, decoded.error(), sends_);
}

void BulkPort::send_all() {
  // Telling that a peer is gone may have others told something.
  while (!sends_.empty()) {
    BulkSends sends = std::exchange(sends_, {});
    for (BulkSend& send : sends) {
      auto encoded = protocol::encode(send.message, send.to.correlation, send.session);
      if (encoded && socket_->send(send.to.routing, std::move(*encoded)) == net::SendStatus::sent) {
        continue;
      }
      transfers_->on_unreachable(send.to.routing, sends_);
    }
  }
}

void BulkPort::ask(std::vector<std::string> candidates, bool for_room) {
  question_ = Question{++last_ticket_, candidates, for_room};
  questions_.post(command::BlobsAsked{last_ticket_, std::move(candidates)});
}

void BulkPort::make_room() {
  if (!transfers_->wants_room() || question_) return;
  auto candidates = store_->candidates(true, limits::kMaxEvictionBatch);
  if (!candidates.empty()) return ask(std::move(candidates), true);
  store_->evict({}, {}, true);  // unfinished uploads
  transfers_->on_room_made(sends_);
}

void BulkPort::sweep() {
  if (now_.monotonic - swept_ < Millis(limits::kBlobSweepMs) || question_) return;
  swept_ = now_.monotonic;
  store_->drop_old_partials();
  auto candidates = store_->candidates(false, limits::kMaxEvictionBatch);
  if (!candidates.empty()) ask(std::move(candidates), false);
}

void BulkPort::on_needed(const BlobsNeeded& needed) {
  if (!question_ || question_->ticket != needed.ticket) return;
  const Question question = std::move(*question_);
  question_.reset();
  const std::uint64_t before = store_->usage().used_bytes;
  store_->evict(question.candidates, needed.hashes, question.for_room);
  if (const std::uint64_t after = store_->usage().used_bytes; after < before) {
    logger_.info("files were removed from the store",
                 {{"why", question.for_room ? "room" : "retention"},
                  {"bytes", std::to_string(before - after)}});
  }
  if (question.for_room) transfers_->on_room_made(sends_);
}

}  // namespace taskpipe::broker
