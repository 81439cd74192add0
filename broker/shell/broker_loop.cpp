#include "broker/shell/broker_loop.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "broker/shell/stall.hpp"
#include "common/model/limits.hpp"
#include "common/process/clock.hpp"

namespace taskpipe::broker {
namespace {

constexpr std::size_t kMessagesPerTurn = 256;   // of each socket, before the turn is ended
constexpr Millis kTendingInterval{20};          // between looks at the journal's size
constexpr std::chrono::seconds kDrainLimit{5};  // for what still waits for the disk at the end

// Places in the poller.
enum Source : std::size_t { kClients, kWorkers, kSubscribers, kSignals };

Millis round_up(std::chrono::nanoseconds duration) {
  return std::chrono::ceil<Millis>(std::max(duration, std::chrono::nanoseconds(0)));
}

}  // namespace

BrokerLoop::BrokerLoop(const LoopParts& parts) : parts_(parts) {
  make_poller();
  news_poller_.add_fd(parts_.news.fd());
}

void BrokerLoop::make_poller() {
  poller_.emplace();  // as Source says
  poller_->add(parts_.client_port.native());
  poller_->add(parts_.worker_port.native());
  poller_->add(parts_.event_port.native());
  poller_->add_fd(parts_.signals.fd());
  poller_->add_fd(parts_.news.fd());
  poller_->add_fd(parts_.history_answers.fd());
  poller_->add_fd(parts_.bulk_port.questions_fd());
}

bool BrokerLoop::begin(Effects effects) {
  effects_ = std::move(effects);
  carry_out();
  while (!failure_ && parts_.journal.durable() < parts_.core.last_lsn()) {
    news_poller_.wait(kTendingInterval);
    read_news();
  }
  if (failure_) parts_.logger.error("the journal cannot be written", {{"reason", *failure_}});
  return !failure_;
}

int BrokerLoop::run() {
  Now before = process::read_clock();
  bool more = false;
  while (true) {
    const bool at_once = more || more_to_archive_ || !commands_.empty();
    const std::optional<Millis> timeout = at_once ? Millis(0) : poll_timeout(before);
    poller_->wait(timeout);
    const Now now = process::read_clock();
    if (const auto stalled = stall_between(before, timeout, now)) commands_.push_back(*stalled);
    before = now;
    more = collect();
    apply_all(now);
    carry_out();
    release_durable();
    if (failure_) {
      parts_.logger.error("storage failed; the broker ends so that nothing false is acknowledged",
                          {{"reason", *failure_}});
      return 1;
    }
    if (now.monotonic - last_tending_ >= kTendingInterval) {
      last_tending_ = now.monotonic;
      tend_journal();
      count_queues();
      tend_event_port();
    }
    if (stopping_) break;
  }
  const Now started = process::read_clock();
  while (!gate_.empty() && !failure_ &&
         process::read_clock().monotonic - started.monotonic < kDrainLimit) {
    news_poller_.wait(kTendingInterval);
    read_news();
    release_durable();
  }
  archive_rest();
  return failure_ ? 1 : 0;
}

// The journal would keep it, and the next start would hand it over; but whoever stops a broker may
// want to read its history.
void BrokerLoop::archive_rest() {
  if (parts_.history_writer == nullptr) return;
  net::Poller stored;
  stored.add_fd(parts_.history_answers.fd());
  const Now started = process::read_clock();
  for (Now now = started; now.monotonic - started.monotonic < kDrainLimit;
       now = process::read_clock()) {
    const std::size_t room = parts_.history_writer->room_tasks(parts_.core.tasks_ended());
    parts_.core.apply(command::HistoryReady{parts_.journal.synced(), room}, now, effects_);
    const bool given = effects_.archive.has_value();
    if (given) parts_.history_writer->store(std::move(*effects_.archive));
    effects_.clear();
    if (room > 0 && !given) return;
    stored.wait(kTendingInterval);
    parts_.history_answers.take(answers_);
  }
}

std::optional<Millis> BrokerLoop::poll_timeout(const Now& now) const {
  std::optional<Millis> timeout;
  if (parts_.event_port.reopening() || tender_.at_work()) timeout = kTendingInterval;
  const auto deadline = parts_.core.next_deadline();
  if (!deadline) return timeout;
  const Millis left = round_up(*deadline - now.monotonic);
  return timeout ? std::min(*timeout, left) : left;
}

bool BrokerLoop::collect() {
  read_signals();
  read_news();
  parts_.history_answers.take(answers_);
  std::move(answers_.begin(), answers_.end(), std::back_inserter(commands_));
  parts_.bulk_port.take_questions(answers_);
  std::move(answers_.begin(), answers_.end(), std::back_inserter(commands_));
  const auto drain = [this](Source source, auto& port) {
    return poller_->readable(source) && port.drain(kMessagesPerTurn, commands_) == kMessagesPerTurn;
  };
  bool more = drain(kWorkers, parts_.worker_port);
  more = drain(kClients, parts_.client_port) || more;
  return drain(kSubscribers, parts_.event_port) || more;
}

void BrokerLoop::read_news() {
  parts_.news.take(news_);
  for (auto& item : news_) {
    if (auto* failed = std::get_if<StorageFailed>(&item)) failure_ = std::move(failed->reason);
    if (auto* revoked = std::get_if<KeysRevoked>(&item)) revoke(std::move(revoked->change));
  }
}

void BrokerLoop::read_signals() {
  if (!poller_->readable(kSignals)) return;
  while (const auto signal = parts_.signals.read()) {
    if (*signal == process::Signal::hangup) {
      if (parts_.authenticator != nullptr) parts_.authenticator->reload();
      continue;
    }
    if (!std::exchange(stopping_, true)) commands_.emplace_back(command::ShutdownRequested{});
  }
}

void BrokerLoop::apply_all(const Now& now) {
  for (auto& command : commands_) parts_.core.apply(std::move(command), now, effects_);
  commands_.clear();
  if (parts_.history_writer != nullptr) archive(now);
  parts_.core.apply(command::TurnEnded{}, now, effects_);
}

void BrokerLoop::archive(const Now& now) {
  const std::size_t room = parts_.history_writer->room_tasks(parts_.core.tasks_ended());
  const std::size_t most = std::min(room, limits::kHistoryTasksPerTurn);
  parts_.core.apply(command::HistoryReady{parts_.journal.synced(), most}, now, effects_);
  // Rows are made bit by bit, so that nobody waits for a whole transaction's.
  more_to_archive_ = room > most && effects_.archive && effects_.archive->tasks.size() >= most;
}

void BrokerLoop::carry_out() {
  if (!effects_.records.empty()) {
    parts_.journal.append(parts_.core.epoch(), effects_.first_lsn, effects_.records);
  }
  // Before what reveals a session to its peer.
  for (const auto& change : effects_.session_changes) parts_.bulk_port.tell(change);
  for (auto& needed : effects_.blobs_needed) parts_.bulk_port.tell(std::move(needed));
  gate_.take(effects_, [this](DurabilityGate::Outbound what) { deliver(std::move(what)); });
  if (effects_.archive) parts_.history_writer->store(std::move(*effects_.archive));
  for (auto& lookup : effects_.lookups) parts_.history_reader.look_up(std::move(lookup));
  write_notes();
  effects_.clear();
}

void BrokerLoop::release_durable() {
  const Lsn durable = parts_.journal.durable();
  gate_.release(durable, [this](DurabilityGate::Outbound what) { deliver(std::move(what)); });
  if (const auto below = tender_.releasable(durable)) parts_.journal.release_before(*below);
}

void BrokerLoop::deliver(DurabilityGate::Outbound what) {
  if (auto* publish = std::get_if<Publish>(&what)) {
    parts_.event_port.publish(std::move(*publish));
    return;
  }
  const Send& send = std::get<Send>(what);
  PeerPort& port = send.to.port == Port::client ? parts_.client_port : parts_.worker_port;
  auto failure = port.deliver(send);
  if (!failure) return;
  if (std::holds_alternative<command::MessageReceived>(*failure)) {
    parts_.logger.error("a message of tasks cannot be encoded; its tasks end in error",
                        {{"tasks", std::to_string(std::get<Tasks>(send.message).items.size())}});
  }
  commands_.push_back(std::move(*failure));
}

void BrokerLoop::tend_journal() {
  const bool accepted = tender_.accepts_submits();
  tender_.look(parts_.journal.usage(), parts_.core, commands_);
  if (tender_.accepts_submits() == accepted) return;
  parts_.logger.warning(accepted ? "the journal's disk is full; submits are refused"
                                 : "the journal has room again");
}

void BrokerLoop::count_queues() {
  const std::uint64_t queued =
      parts_.client_port.queued_bytes() + parts_.worker_port.queued_bytes() +
      parts_.event_port.queued_bytes() + parts_.journal.usage().backlog_bytes;
  if (std::exchange(queued_bytes_, queued) == queued) return;
  commands_.emplace_back(command::HeldOutside{queued});
}

// What the sessions of these keys still send meets no session. A subscriber has none: the event
// port asks everybody for the key again.
void BrokerLoop::revoke(KeyChange change) {
  commands_.emplace_back(command::KeysRevoked{std::move(change.revoked)});
  if (!change.subscribers || parts_.event_port.reopening()) return;
  parts_.event_port.begin_reopening();
  make_poller();
  commands_.emplace_back(command::TopicsForgotten{});
}

void BrokerLoop::tend_event_port() {
  if (!parts_.event_port.reopening()) return;
  const auto open = parts_.event_port.finish_reopening();
  if (!open) failure_ = "the event port cannot be opened again: " + open.error().text;
}

void BrokerLoop::write_notes() {
  for (auto& audit : effects_.audits) {
    if (parts_.audit == nullptr) break;
    parts_.audit->write(audit.event, {{"user", std::move(audit.user)},
                                      {"role", std::string(name_of(audit.role))},
                                      {"key", std::move(audit.key)},
                                      {"name", std::move(audit.name)},
                                      {"detail", std::move(audit.detail)}});
  }
  for (const auto& note : effects_.notes) {
    if (note.level == NoteLevel::warning) {
      parts_.logger.warning(note.text);
    } else {
      parts_.logger.info(note.text);
    }
  }
}

}  // namespace taskpipe::broker
