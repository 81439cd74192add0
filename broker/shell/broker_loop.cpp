#include "broker/shell/broker_loop.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "common/model/limits.hpp"
#include "common/process/clock.hpp"

namespace taskpipe::broker {
namespace {

constexpr std::size_t kMessagesPerTurn = 256;  // of each socket, before the turn is ended
constexpr Millis kTendingInterval{20};         // between looks at the journal's size
constexpr std::size_t kImagesPerTurn = 512;    // records carried forward at a time
// Carrying forward begins when the journal is this many times what lives in it.
constexpr std::uint64_t kJournalGarbageFactor = 2;
constexpr std::chrono::seconds kDrainLimit{5};  // for what still waits for the disk at the end

Millis round_up(std::chrono::nanoseconds duration) {
  return std::chrono::ceil<Millis>(std::max(duration, std::chrono::nanoseconds(0)));
}

}  // namespace

BrokerLoop::BrokerLoop(const LoopParts& parts) : parts_(parts) {
  poller_.add(parts_.client_port.native());
  poller_.add(parts_.worker_port.native());
  poller_.add(parts_.event_port.native());
  poller_.add_fd(parts_.signals.fd());
  poller_.add_fd(parts_.news.fd());
  poller_.add_fd(parts_.history.answers().fd());
  news_poller_.add_fd(parts_.news.fd());
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
    const std::optional<Millis> timeout = more ? Millis(0) : poll_timeout(before);
    poller_.wait(timeout);
    const Now now = process::read_clock();
    watch_for_stall(before, timeout, now);
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
    }
    if (stopping_) break;
  }
  const Now started = process::read_clock();
  while (!outbound_.empty() && !failure_ &&
         process::read_clock().monotonic - started.monotonic < kDrainLimit) {
    news_poller_.wait(kTendingInterval);
    read_news();
    release_durable();
  }
  return failure_ ? 1 : 0;
}

std::optional<Millis> BrokerLoop::poll_timeout(const Now& now) const {
  const auto deadline = parts_.core.next_deadline();
  if (!deadline) return std::nullopt;
  return round_up(*deadline - now.monotonic);
}

// A loop that was away for longer than it asked for (a stopped process, a hung filesystem) must not
// take its own absence for the silence of others.
void BrokerLoop::watch_for_stall(const Now& before, std::optional<Millis> allowed,
                                 const Now& after) {
  if (!allowed) return;
  const auto away = after.monotonic - before.monotonic - *allowed;
  if (away < Millis(limits::kHeartbeatMs)) return;
  commands_.emplace_back(command::LoopStalled{std::chrono::duration_cast<Millis>(away)});
}

bool BrokerLoop::collect() {
  read_signals();
  read_news();
  parts_.history.answers().take(answers_);
  std::move(answers_.begin(), answers_.end(), std::back_inserter(commands_));
  bool more = parts_.worker_port.drain(kMessagesPerTurn, commands_) == kMessagesPerTurn;
  more = parts_.client_port.drain(kMessagesPerTurn, commands_) == kMessagesPerTurn || more;
  return parts_.event_port.drain(kMessagesPerTurn, commands_) == kMessagesPerTurn || more;
}

void BrokerLoop::read_news() {
  parts_.news.take(news_);
  for (auto& item : news_) {
    if (auto* failed = std::get_if<StorageFailed>(&item)) failure_ = std::move(failed->reason);
  }
}

void BrokerLoop::read_signals() {
  while (const auto signal = parts_.signals.read()) {
    if (*signal == process::Signal::hangup) continue;
    if (!std::exchange(stopping_, true)) commands_.emplace_back(command::ShutdownRequested{});
  }
}

void BrokerLoop::apply_all(const Now& now) {
  for (auto& command : commands_) parts_.core.apply(std::move(command), now, effects_);
  commands_.clear();
  parts_.core.apply(command::TurnEnded{}, now, effects_);
}

void BrokerLoop::carry_out() {
  if (!effects_.records.empty()) {
    parts_.journal.append(parts_.core.epoch(), effects_.first_lsn, effects_.records);
  }
  for (auto& send : effects_.sends) {
    if (send.reveals.value() == 0) {
      deliver(std::move(send));
    } else {
      outbound_.push_back({send.reveals, std::move(send)});
    }
  }
  for (auto& publish : effects_.events) {
    outbound_.push_back({publish.reveals, std::move(publish)});
  }
  std::move(effects_.finished_tasks.begin(), effects_.finished_tasks.end(),
            std::back_inserter(finished_tasks_));
  std::move(effects_.finished_workflows.begin(), effects_.finished_workflows.end(),
            std::back_inserter(finished_workflows_));
  for (auto& lookup : effects_.lookups) parts_.history.look_up(std::move(lookup));
  write_notes();
  effects_.clear();
}

void BrokerLoop::release_durable() {
  const Lsn durable = parts_.journal.durable();
  while (!outbound_.empty() && outbound_.front().reveals <= durable) {
    Outbound what = std::move(outbound_.front().what);
    outbound_.pop_front();
    deliver(std::move(what));
  }
  // The history is on the medium when it is committed, whatever the journal's durability; ahead of
  // the journal, it would keep a broker from starting.
  const Lsn synced = parts_.journal.synced();
  HistoryBatch batch;
  batch.watermark = synced;
  while (!finished_tasks_.empty() && finished_tasks_.front().terminal_lsn <= synced) {
    batch.tasks.push_back(std::move(finished_tasks_.front()));
    finished_tasks_.pop_front();
  }
  while (!finished_workflows_.empty() && finished_workflows_.front().terminal_lsn <= synced) {
    batch.workflows.push_back(std::move(finished_workflows_.front()));
    finished_workflows_.pop_front();
  }
  if (!batch.tasks.empty() || !batch.workflows.empty()) parts_.history.store(std::move(batch));
  while (!releases_.empty() && releases_.front().images_end <= durable) {
    parts_.journal.release_before(releases_.front().below);
    releases_.pop_front();
  }
}

void BrokerLoop::deliver(Outbound what) {
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

// Keeps the journal in proportion to what lives in it: repeats the oldest segment's living tasks at
// the end, a bounded number at a time, and lets the segment go once the copies are durable.
void BrokerLoop::tend_journal() {
  const JournalUsage usage = parts_.journal.usage();
  if (usage.accepts_submits != last_usage_.accepts_submits || usage.bytes != last_usage_.bytes) {
    commands_.emplace_back(command::StorageState{usage.accepts_submits, usage.bytes});
    if (usage.accepts_submits != last_usage_.accepts_submits) {
      parts_.logger.warning(usage.accepts_submits
                                ? "the journal has room again"
                                : "the journal's disk is full; submits are refused");
    }
    last_usage_ = usage;
  }
  if (usage.oldest_segment_last.value() == 0 || !releases_.empty()) return;
  const Lsn needed = parts_.core.oldest_needed();
  if (needed > usage.oldest_segment_last) {
    releases_.push_back({parts_.core.last_lsn(), needed});
  } else if (usage.bytes > kJournalGarbageFactor * parts_.core.live_bytes()) {
    commands_.emplace_back(command::CarryForward{usage.oldest_segment_last, kImagesPerTurn});
  }
}

void BrokerLoop::write_notes() {
  for (const auto& note : effects_.notes) {
    if (note.level == NoteLevel::warning) {
      parts_.logger.warning(note.text);
    } else {
      parts_.logger.info(note.text);
    }
  }
}

}  // namespace taskpipe::broker
