#include "broker/journal/segment_journal.hpp"

#include <pthread.h>
#include <sys/random.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::broker {
namespace {

// While records come in, the next segment is filled faster than the current one is, so that it is
// ready in time; each group waits only for its share.
constexpr std::uint64_t kFillPerCommittedByte = 4;
constexpr std::uint64_t kMinFillBytes = 64ULL << 10U;

// Where nobody waits for the disk, small groups wait for each other: waking a thread for each would
// cost the loop, and the tasks, a processor.
constexpr std::chrono::milliseconds kGatherTime{5};
constexpr std::uint64_t kGatherBytes = 64ULL << 10U;

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) {
    throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  return seed;
}

}  // namespace

tl::expected<std::unique_ptr<SegmentJournal>, Error> SegmentJournal::open(
    Disk& disk, SegmentLogOptions options, const ReplayCallback& replay, Hooks hooks) {
  if (options.seed == 0) options.seed = random_seed();
  auto log = SegmentLog::open(disk, options, replay);
  if (!log) return tl::unexpected(std::move(log.error()));
  std::unique_ptr<SegmentJournal> journal(
      new SegmentJournal(options, std::move(*log), std::move(hooks)));
  journal->thread_ = std::thread(&SegmentJournal::run, journal.get());
  return journal;
}

SegmentJournal::SegmentJournal(const SegmentLogOptions& options, std::unique_ptr<SegmentLog> log,
                               Hooks hooks)
    : durability_(options.durability),
      sync_after_(options.sync_after_ms),
      reserve_bytes_(options.reserve_bytes()),
      max_backlog_bytes_(options.max_backlog_bytes),
      hooks_(std::move(hooks)),
      recovery_(log->recovery()),
      epoch_(recovery_.highest_epoch),
      appended_(recovery_.last),
      durable_(recovery_.last.value()),
      synced_(recovery_.last.value()),
      front_(log->make_buffer()),
      log_(std::move(log)),
      back_(log_->make_buffer()),
      space_checked_at_(Clock::now()) {
  publish_usage();
}

SegmentJournal::~SegmentJournal() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

// --- The loop's side ----------------------------------------------------------------------------

void SegmentJournal::append(Epoch epoch, Lsn first_lsn, std::span<const Record> records) {
  if (records.empty() || failed_.load(std::memory_order_relaxed)) return;
  assert(first_lsn == appended_.next());
  if (epoch < epoch_) {
    fail(Error{ErrorCode::stale_epoch,
               "the journal has seen epoch " + std::to_string(epoch_.value()) +
                   ", this broker writes for epoch " + std::to_string(epoch.value()) +
                   ": another one has taken over",
               "epoch"});
    return;
  }
  epoch_ = epoch;
  std::optional<Error> refused;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    refused = front_.append(epoch, first_lsn, records);
    wake = must_be_woken();
    resting_ = false;
  }
  if (refused) {
    fail(*refused);
    return;
  }
  appended_ = Lsn(first_lsn.value() + records.size() - 1);
  if (durability_ == Durability::none) {
    durable_.store(appended_.value(), std::memory_order_release);
  }
  if (wake) work_.notify_one();
}

JournalUsage SegmentJournal::usage() const {
  const std::lock_guard lock(mutex_);
  JournalUsage usage = usage_;
  const std::uint64_t backlog = front_.size_bytes() + writing_bytes_;
  usage.accepts_submits =
      backlog <= max_backlog_bytes_ && headroom_bytes_ > reserve_bytes_ + backlog;
  usage.backlog_bytes = backlog;
  return usage;
}

void SegmentJournal::release_before(Lsn lsn) {
  {
    const std::lock_guard lock(mutex_);
    if (lsn <= release_wanted_) return;
    release_wanted_ = lsn;
    waits_ = Wait::none;
    resting_ = false;
  }
  work_.notify_one();
}

bool SegmentJournal::wait_until_idle(std::chrono::milliseconds limit) const {
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, limit, [this] { return resting_ || failed_.load(); });
}

void SegmentJournal::fail(const Error& error) {
  if (failed_.exchange(true)) return;
  if (hooks_.on_failure) hooks_.on_failure(error);
  { const std::lock_guard lock(mutex_); }  // whoever is about to wait has seen failed_, or is told
  work_.notify_one();
  idle_.notify_all();
}

// --- The commit thread --------------------------------------------------------------------------

void SegmentJournal::run() {
  ::pthread_setname_np(::pthread_self(), "journal");
  for (;;) {
    const Round round = next_round();
    if (failed_.load()) return;
    auto done = perform(round);
    const bool last = round.stop && !round.commit;
    if (done && last) done = log_->close();
    if (!done) fail(done.error());
    if (!done || last) return;
  }
}

// With mutex_ held.
bool SegmentJournal::has_work() const {
  return !front_.empty() || release_wanted_ > released_ || stopping_ || failed_.load();
}

// With mutex_ held, after something was appended. True once for each wait.
bool SegmentJournal::must_be_woken() {
  if (waits_ == Wait::none) return false;
  if (waits_ == Wait::for_more && front_.size_bytes() < kGatherBytes) return false;
  waits_ = Wait::none;
  return true;
}

// With mutex_ held.
bool SegmentJournal::gathers() const {
  return durability_ == Durability::none && !front_.empty() && front_.size_bytes() < kGatherBytes &&
         !stopping_ && !failed_.load();
}

// With mutex_ held.
std::optional<SegmentJournal::Clock::time_point> SegmentJournal::next_look() const {
  std::optional<Clock::time_point> until;
  // Nobody tells when somebody else frees space.
  if (headroom_bytes_ <= reserve_bytes_) {
    until = Clock::now() + std::chrono::milliseconds(limits::kSpaceCheckMs);
  }
  if (log_->synced() < log_->written()) until = until ? std::min(*until, sync_due_) : sync_due_;
  return until;
}

SegmentJournal::Round SegmentJournal::next_round() {
  std::unique_lock lock(mutex_);
  if (!has_work() && !maintenance_due_) {
    resting_ = true;
    idle_.notify_all();
    waits_ = Wait::for_work;
    const auto ready = [this] { return has_work(); };
    if (const auto until = next_look()) {
      work_.wait_until(lock, *until, ready);
    } else {
      work_.wait(lock, ready);
    }
    resting_ = false;
  }
  if (gathers()) {
    waits_ = Wait::for_more;
    work_.wait_for(lock, kGatherTime, [this] { return !gathers(); });
  }
  waits_ = Wait::none;
  Round round;
  round.commit = !front_.empty();
  round.stop = stopping_;
  round.release = release_wanted_;
  std::swap(front_, back_);
  writing_bytes_ = back_.size_bytes();
  return round;
}

SegmentLog::Status SegmentJournal::perform(const Round& round) {
  committed_bytes_ = 0;
  SegmentLog::Status status;
  if (round.commit) status = commit();
  if (status && round.release > released_) {
    const auto more = log_->release_before(round.release, 1);
    if (!more) return tl::unexpected(more.error());
    if (!*more) released_ = round.release;
  }
  if (status) status = sync_late();
  if (status) status = check_space();
  if (status && !round.stop) {
    const std::uint64_t fill =
        round.commit ? std::max(kMinFillBytes, kFillPerCommittedByte * committed_bytes_)
                     : limits::kZeroFillStepBytes;
    const auto more = log_->maintain(fill);
    if (!more) return tl::unexpected(more.error());
    maintenance_due_ = *more;
  }
  publish_usage();
  return status;
}

SegmentLog::Status SegmentJournal::commit() {
  committed_bytes_ = back_.size_bytes();
  if (log_->synced() == log_->written()) sync_due_ = Clock::now() + sync_after_;
  auto done = log_->write(back_);
  back_.clear();
  if (done && durability_ == Durability::fsync) done = log_->sync();
  if (done && durability_ != Durability::none && !failed_.load()) advance_durable(log_->written());
  return done;
}

SegmentLog::Status SegmentJournal::sync_late() {
  SegmentLog::Status done;
  if (log_->synced() < log_->written() && Clock::now() >= sync_due_) done = log_->sync();
  // It also rises where a segment is begun or given up.
  if (done && !failed_.load() && log_->synced() > synced()) advance_durable(log_->written());
  return done;
}

void SegmentJournal::advance_durable(Lsn lsn) {
  synced_.store(log_->synced().value(), std::memory_order_release);
  if (durability_ != Durability::none) durable_.store(lsn.value(), std::memory_order_release);
  if (hooks_.on_durable) hooks_.on_durable(lsn);
}

SegmentLog::Status SegmentJournal::check_space() {
  const auto now = Clock::now();
  if (now - space_checked_at_ < std::chrono::milliseconds(limits::kSpaceCheckMs)) return {};
  space_checked_at_ = now;
  return log_->refresh_space();
}

void SegmentJournal::publish_usage() {
  const std::lock_guard lock(mutex_);
  usage_ = log_->usage();
  headroom_bytes_ = log_->headroom_bytes();
  writing_bytes_ = 0;
}

}  // namespace taskpipe::broker
