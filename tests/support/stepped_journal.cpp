#include "tests/support/stepped_journal.hpp"

#include <cassert>
#include <utility>

namespace taskpipe::testing {

using broker::SegmentLog;

tl::expected<std::unique_ptr<SteppedJournal>, Error> SteppedJournal::open(
    broker::Disk& disk, const broker::SegmentLogOptions& options,
    const broker::ReplayCallback& replay) {
  auto log = SegmentLog::open(disk, options, replay);
  if (!log) return tl::unexpected(std::move(log.error()));
  return std::unique_ptr<SteppedJournal>(new SteppedJournal(std::move(*log)));
}

SteppedJournal::SteppedJournal(std::unique_ptr<SegmentLog> log)
    : log_(std::move(log)),
      buffer_(log_->make_buffer()),
      epoch_(log_->recovery().highest_epoch),
      appended_(log_->written()),
      durable_(log_->synced()) {}

void SteppedJournal::append(Epoch epoch, Lsn first_lsn, std::span<const broker::Record> records) {
  if (records.empty() || failure_) return;
  assert(first_lsn == appended_.next());
  if (epoch < epoch_) {
    failure_ = Error{ErrorCode::stale_epoch, "the journal has seen a newer epoch", "epoch"};
    return;
  }
  epoch_ = epoch;
  failure_ = buffer_.append(epoch, first_lsn, records);
  if (!failure_) appended_ = buffer_.last();
}

broker::JournalUsage SteppedJournal::usage() const { return log_->usage(buffer_.size_bytes()); }

void SteppedJournal::release_before(Lsn lsn) {
  if (lsn > release_wanted_) release_wanted_ = lsn;
}

void SteppedJournal::step() {
  if (failure_) return;
  const bool written = keep(log_->write(buffer_));
  buffer_.clear();
  if (!written || !keep(log_->sync())) return;
  durable_ = log_->synced();
  if (!keep(log_->release_before(release_wanted_)) || !keep(log_->refresh_space())) return;
  for (;;) {
    const auto more = log_->maintain(limits::kZeroFillStepBytes);
    if (!more) failure_ = more.error();
    if (!more || !*more) return;
  }
}

void SteppedJournal::close() {
  step();
  if (!failure_) static_cast<void>(keep(log_->close()));
}

}  // namespace taskpipe::testing
