#include "client/src/io_thread.hpp"

#include <algorithm>
#include <exception>
#include <span>
#include <utility>

#include "client/src/call_errors.hpp"
#include "client/src/watched_events.hpp"
#include "common/model/limits.hpp"
#include "common/process/clock.hpp"
#include "common/protocol/codec.hpp"

namespace taskpipe::client {
namespace {

// Waits are not credited: a client that repeats millions of them after a reconnect must not run
// into the high-water mark, where a DEALER refuses.
constexpr int kSendHighWater = 100'000;

// libzmq draws each pause between these, doubling. Callers wait behind a client, and their patience
// (limits::kConnectTimeoutMs by default) must hold several attempts: a broker that came back a
// second ago is found, whatever moment it came back at. Workers, of which there are thousands, take
// the slower defaults.
constexpr int kReconnectFirstMs = 250;
constexpr int kReconnectMaxMs = 1'000;

net::SocketTuning tuning_of(const IoConfig& config) {
  net::SocketTuning tuning;
  tuning.send_high_water = kSendHighWater;
  tuning.linger_ms = static_cast<int>(config.linger.count());
  tuning.reconnect_first_ms = kReconnectFirstMs;
  tuning.reconnect_max_ms = kReconnectMaxMs;
  tuning.curve_client = config.curve;
  return tuning;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span<const char>(text));
}

std::optional<Received> readable_header(const std::vector<protocol::FrameView>& frames) {
  if (frames.empty()) return std::nullopt;
  const auto header = protocol::decode_header(frames[0]);
  if (!header) return std::nullopt;
  return Received{header->session, header->correlation};
}

}  // namespace

IoThread::IoThread(IoConfig config, process::Mailbox<IoRequest>& mailbox, IoSeat& seat)
    : config_(std::move(config)),
      mailbox_(mailbox),
      seat_(seat),
      context_(std::make_unique<net::Context>()),
      core_(config_.session, config_.seed),
      judge_(config_.curve.has_value()) {}

void IoThread::run() {
  for (;;) {
    seat_.await();
    if (stopping_) break;
    carry_out();  // what a caller has left to this thread
    wait(std::nullopt);
    if (seat_.asked()) {
      // Before its request is looked at: whoever turns the loop shall send it.
      if (suits_a_caller() && sinks_.empty()) {
        seat_.grant();
        continue;
      }
      seat_.decline();
    }
    work();
  }
  say_goodbye();
  poller_.reset();
  dealer_.reset();
  sub_.reset();
  context_.reset();  // waits for what lingers
}

void IoThread::turn(std::optional<Millis> longest) noexcept {
  on_own_thread_ = false;
  wait(longest);
  work();
  on_own_thread_ = true;
}

void IoThread::work() {
  now_ = process::read_clock().monotonic;
  drain_mailbox();
  if (has_news(places_.handshakes)) judge_handshakes();
  if (has_news(places_.broker)) drain_broker();
  if (has_news(places_.events)) drain_events();
  if (const auto silent = events_silent_at(); silent && now_ >= *silent) reopen_events();
  core_.end_turn(now_, effects_);
  carry_out();
}

std::optional<MonotonicTime> IoThread::events_silent_at() const {
  return sub_endpoint_.empty() ? std::nullopt : stream_.silent_at();
}

bool IoThread::has_news(std::optional<std::size_t> place) const {
  return poller_ && place && poller_->readable(*place);
}

void IoThread::wait(std::optional<Millis> longest) {
  if (!poller_) {
    poller_.emplace();
    poller_->add_fd(mailbox_.fd());
    places_ = {};
    if (dealer_) places_.broker = poller_->add(dealer_->native());
    if (dealer_) places_.handshakes = poller_->add(dealer_->handshakes().native());
    if (sub_) places_.events = poller_->add(sub_->native());
  }
  std::optional<MonotonicTime> due = core_.next_deadline();
  const auto silent = events_silent_at();
  if (silent && (!due || *silent < *due)) due = silent;
  std::optional<Millis> timeout = longest;
  if (due) {
    const auto left = *due - process::read_clock().monotonic;
    // Rounded up: waking a moment too early would spin until the deadline.
    const Millis rest = std::max(Millis(0), std::chrono::ceil<Millis>(left));
    timeout = timeout ? std::min(*timeout, rest) : rest;
  }
  poller_->wait(timeout);
}

struct IoThread::Apply {
  IoThread& io;

  void operator()(request::Begin&& r) const {
    io.sinks_.emplace(r.start.id, std::move(r.sink));
    io.core_.begin(std::move(r.start), io.now_, io.effects_);
  }
  void operator()(request::Abort&& r) const {
    io.core_.abort(r.call, std::move(r.why), io.effects_);
  }
  void operator()(request::Forget&& r) const {
    io.core_.forget(r.call);
    io.subscribe(io.stream_.remove(r.call));
    io.sinks_.erase(r.call);
  }
  void operator()(request::LogConsumed&& r) const { io.core_.log_consumed(r.call, r.bytes); }
  void operator()(request::ReportWatch&& r) const { io.core_.watch_report(r.call, r.report); }
  void operator()(request::Subscribe&& r) const {
    io.sinks_.emplace(r.call, std::move(r.sink));
    io.subscribe(io.stream_.add(r.call, std::move(r.topics), io.now_));
  }
  void operator()(request::Look&&) const {}
  void operator()(request::Stop&&) const { io.stopping_ = true; }
};

void IoThread::drain_mailbox() {
  mailbox_.take(requests_);
  for (auto& request : requests_) std::visit(Apply{*this}, std::move(request));
  requests_.clear();
}

void IoThread::judge_handshakes() {
  while (dealer_) {
    const auto outcome = dealer_->handshakes().next();
    if (!outcome) return;
    if (const auto error = judge_.judge(*outcome, core_.link().ever_ready())) {
      core_.on_refused_handshake(*error, effects_);
      judge_ = net::HandshakeJudge(config_.curve.has_value());
      return;
    }
  }
}

void IoThread::drain_broker() {
  for (std::size_t i = 0; dealer_ && i < limits::kMaxMessagesPerTurn; ++i) {
    if (!dealer_->receive(received_)) return;
    if (received_.is_probe()) continue;
    const auto frames = received_.frames();
    auto decoded = received_.oversized
                       ? tl::expected<protocol::DecodedMessage, Error>(tl::unexpected(
                             Error{ErrorCode::too_big, "more frames than the protocol allows", {}}))
                       : protocol::decode(frames);
    if (decoded) {
      const Received header{decoded->header.session, decoded->header.correlation};
      core_.on_message(header, std::move(decoded->message), now_, effects_);
    } else {
      core_.on_malformed(readable_header(frames), decoded.error(), now_, effects_);
    }
  }
}

void IoThread::drain_events() {
  net::SubSocket::Received message;
  for (std::size_t i = 0; sub_ && i < limits::kMaxMessagesPerTurn; ++i) {
    if (!sub_->receive(message)) break;
    auto events = protocol::decode_events(bytes_of(message.position), bytes_of(message.body));
    // The channel is lossy in any case: what cannot be read shows as a gap.
    if (events) stream_.on_events(message.topic, std::move(*events), now_, effects_);
  }
}

void IoThread::carry_out() {
  // A send may fail and thereby change the socket; the core gives up the connection only once.
  while (effects_.socket != SocketChange::keep || effects_.welcome || !effects_.sends.empty() ||
         !effects_.deliveries.empty()) {
    if (!on_own_thread_ && effects_.socket == SocketChange::open) return;
    Effects effects = std::exchange(effects_, Effects{});
    if (effects.socket != SocketChange::keep) change_socket(effects.socket);
    if (effects.welcome) connect_events(*effects.welcome);
    for (const auto& outgoing : effects.sends) send(outgoing);
    for (auto& delivered : effects.deliveries) deliver(std::move(delivered));
  }
}

void IoThread::change_socket(SocketChange change) {
  poller_.reset();
  dealer_.reset();
  if (change == SocketChange::close) return;
  Error problem;
  try {
    dealer_ = std::make_unique<net::DealerSocket>(*context_, tuning_of(config_));
    const auto connected = dealer_->connect(config_.broker.to_string());
    if (connected) return;
    problem = connected.error();
  } catch (const std::exception& e) {  // no descriptor left, for one
    problem = Error{ErrorCode::invalid, std::string("cannot open a socket: ") + e.what(), "broker"};
  }
  dealer_.reset();
  core_.on_unconnectable(problem, now_, effects_);
}

void IoThread::send(const Outgoing& outgoing) {
  if (!dealer_) return;  // given up by an earlier send of this turn
  const auto flags = outgoing.resend ? protocol::kFlagResend : std::uint16_t{0};
  const auto encoded =
      protocol::encode(outgoing.message, outgoing.correlation, outgoing.session, flags);
  if (!encoded) {
    core_.on_unencodable(outgoing.correlation, encoded.error(), now_, effects_);
  } else if (dealer_->send(*encoded) == net::SendStatus::unreachable) {
    core_.on_unsendable(now_, effects_);
  }
}

void IoThread::deliver(Delivered&& delivered) {
  if (delivered.call.value() >= kInternalCalls) {
    if (delivered.call == watch_) take_watched(std::move(delivered.what), delivered.last);
    return;
  }
  const auto sink = sinks_.find(delivered.call);
  if (sink == sinks_.end()) return;  // forgotten meanwhile
  sink->second->deliver(delivered.call, std::move(delivered.what), delivered.last);
  if (delivered.last) sinks_.erase(sink);
}

void IoThread::connect_events(const Welcome& welcome) {
  watches_events_ = welcome.role == Role::client;
  if (watches_events_) {
    poller_.reset();
    sub_.reset();
    sub_endpoint_.clear();
    return watch_events();
  }
  end_watch();
  const std::string endpoint =
      event_endpoint(config_.broker, config_.wanted_events, welcome.event_endpoint);
  if (endpoint == sub_endpoint_ && sub_) return;
  sub_endpoint_ = endpoint;
  if (!stream_.empty()) reopen_events();
}

void IoThread::reopen_events() {
  poller_.reset();
  sub_.reset();
  stream_.on_reconnect(now_, effects_);
  if (sub_endpoint_.empty()) return;
  // What goes wrong here is tried again when the stream counts as silent. Ends of tasks do not
  // depend on it.
  try {
    sub_ = std::make_unique<net::SubSocket>(*context_, tuning_of(config_));
    for (const auto& topic : stream_.topics()) sub_->subscribe(topic);
    if (!sub_->connect(sub_endpoint_)) sub_.reset();
  } catch (const std::exception&) {
    sub_.reset();
  }
}

void IoThread::watch_events() {
  const auto wanted = filter_for(stream_.topics());
  if (wanted == watched_) return;
  const auto from = watched_seq_;  // so that nothing is missed between two watches
  end_watch();
  if (!wanted) return;
  watched_ = wanted;
  watched_seq_ = from;
  watch_ = CallId(watch_.value() + 1);
  command::Watch watch;
  watch.filter = *wanted;
  watch.after_seq = from;
  watch.progress = true;
  core_.begin(CallStart{watch_, std::move(watch), std::nullopt}, now_, effects_);
}

void IoThread::end_watch() {
  if (watched_) core_.forget(watch_);
  watched_.reset();
  watched_seq_.reset();
}

void IoThread::take_watched(Delivery&& what, bool last) {
  if (last) {
    // The connection was refused, or the broker has no watch left: the next call or session asks
    // again.
    watched_.reset();
    watched_seq_.reset();
    return;
  }
  WatchReport report;
  report.taken = 1;
  if (const auto* arrived = std::get_if<delivery::ChangesArrived>(&what)) {
    watched_seq_ = arrived->events.seq;
    for (auto& batch : batches_of(arrived->events)) {
      stream_.on_watched(batch.topic, std::move(batch.events), false, effects_);
    }
    stream_.on_watch_alive(arrived->events.epoch, effects_);
  } else if (const auto* page = std::get_if<delivery::SnapshotArrived>(&what)) {
    for (auto& batch : batches_of(page->snap)) {
      stream_.on_watched(batch.topic, std::move(batch.events), true, effects_);
    }
  }
  core_.watch_report(watch_, report);
}

void IoThread::subscribe(const EventStream::Changes& changes) {
  if (changes.added.empty() && changes.removed.empty()) return;
  if (watches_events_) return watch_events();
  if (!sub_) {
    if (!changes.added.empty()) reopen_events();
    return;
  }
  for (const auto& topic : changes.added) sub_->subscribe(topic);
  for (const auto& topic : changes.removed) sub_->unsubscribe(topic);
}

void IoThread::say_goodbye() {
  if (dealer_ && core_.link().ready()) {
    send(Outgoing{Bye{"closing"}, Correlation{}, core_.link().session()});
  }
  effects_.clear();
  core_.close(closed("it was closed while the call was in progress"), effects_);
  carry_out();
  for (auto& [call, sink] : sinks_) {  // subscriptions
    sink->deliver(call, delivery::Failed{closed("it was closed")}, true);
  }
  sinks_.clear();
}

}  // namespace taskpipe::client
