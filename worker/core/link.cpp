#include "worker/core/link.hpp"

#include <algorithm>

#include "common/model/limits.hpp"

namespace taskpipe::worker {
namespace {

// splitmix64, Steele et al. 2014: spreads consecutive seeds over all bits.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

}  // namespace

void Link::begin(MonotonicTime now) {
  if (state_ != State::unopened) return;
  state_ = State::waiting_for_who;
  open_wanted_ = true;
  begin_patience(now, Millis{0});
}

void Link::on_who() {
  if (state_ == State::unopened) return;
  if (state_ == State::established) {
    state_ = State::waiting_for_who;
    session_ = SessionId{};
  }
  hello_wanted_ = true;
}

void Link::on_welcome(const Welcome& welcome, MonotonicTime now) {
  state_ = State::established;
  session_ = welcome.session;
  last_epoch_ = welcome.epoch;
  failures_ = 0;
  hello_wanted_ = false;
  heartbeat_ = Millis{std::max(welcome.heartbeat_ms, std::uint32_t{1})};
  lease_ = std::max(Millis{welcome.lease_ms}, 2 * heartbeat_);
  last_heard_ = now;
  next_ping_ = now + heartbeat_;
  ping_wanted_ = false;
}

void Link::lose(MonotonicTime now, Millis pause) {
  if (state_ == State::unopened) return;
  state_ = State::waiting_for_who;
  session_ = SessionId{};
  hello_wanted_ = false;
  begin_patience(now, pause);
}

void Link::begin_patience(MonotonicTime now, Millis at_least) {
  const std::uint32_t doublings = std::min(failures_, 8U);
  Millis patience{std::min(limits::kLinkPatienceMs << doublings, limits::kLinkPatienceMaxMs)};
  patience = std::max(patience, at_least);
  const auto quarter = static_cast<std::uint64_t>(patience.count() / 4);
  patience += Millis{static_cast<std::int64_t>(mix(jitter_seed_ + failures_) % (quarter + 1))};
  patience_until_ = now + patience;
}

std::optional<MonotonicTime> Link::hello_time() const {
  if (!hello_wanted_) return std::nullopt;
  if (!last_hello_) return MonotonicTime{};
  return *last_hello_ + Millis{limits::kHelloIntervalMs};
}

Link::Action Link::next_action(MonotonicTime now) {
  if (state_ == State::unopened) return Action::none;
  const bool given_up = established() ? now >= last_heard_ + lease_ : now >= patience_until_;
  if (given_up) {
    state_ = State::waiting_for_who;
    session_ = SessionId{};
    ++failures_;
    hello_wanted_ = false;
    begin_patience(now, Millis{0});
    open_wanted_ = true;
  }
  if (open_wanted_) {
    open_wanted_ = false;
    last_hello_.reset();  // a fresh connection owes nobody a pause
    return Action::open_socket;
  }
  if (const auto at = hello_time(); at && now >= *at) {
    hello_wanted_ = false;
    last_hello_ = now;
    hello_correlation_ = hello_correlation_.next();
    state_ = State::waiting_for_welcome;
    begin_patience(now, Millis{0});
    return Action::say_hello;
  }
  if (established() && (ping_wanted_ || now >= next_ping_)) {
    ping_wanted_ = false;
    next_ping_ = now + heartbeat_;
    return Action::ping;
  }
  return Action::none;
}

std::optional<MonotonicTime> Link::next_deadline() const {
  if (state_ == State::unopened) return std::nullopt;
  if (open_wanted_ || ping_wanted_) return MonotonicTime{};
  if (established()) return std::min(next_ping_, last_heard_ + lease_);
  if (const auto at = hello_time()) return std::min(*at, patience_until_);
  return patience_until_;
}

}  // namespace taskpipe::worker
