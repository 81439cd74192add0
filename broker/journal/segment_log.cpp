#include "broker/journal/segment_log.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <string>
#include <utility>

namespace taskpipe::broker {

SegmentLog::SegmentLog(const SegmentLogOptions& options, std::unique_ptr<SegmentFiles> files,
                       RecoveredChain chain)
    : options_(options),
      files_(std::move(files)),
      report_(chain.report),
      chain_(std::move(chain.segments)),
      epoch_(report_.highest_epoch),
      written_(report_.last),
      synced_(report_.last),
      noted_(chain.noted) {}

tl::expected<std::unique_ptr<SegmentLog>, Error> SegmentLog::open(Disk& disk,
                                                                  const SegmentLogOptions& options,
                                                                  const ReplayCallback& replay) {
  auto files = SegmentFiles::open(disk, options);
  if (!files) return tl::unexpected(std::move(files.error()));
  auto chain = recover_chain(**files, replay);
  if (!chain) return tl::unexpected(std::move(chain.error()));
  return std::unique_ptr<SegmentLog>(new SegmentLog(options, std::move(*files), std::move(*chain)));
}

Error SegmentLog::remember(const DiskFault& fault) {
  const char* remedy = fault.is_full()
                           ? "; the disk is full and the reserve is used up: free space and restart"
                           : "; nothing more can be recorded: check the disk and restart";
  failure_ = Error{ErrorCode::storage, "the journal failed: " + fault.text + remedy, "journal"};
  return *failure_;
}

SegmentLog::Status SegmentLog::settle(const DiskResult<>& done) {
  if (done) return {};
  return tl::unexpected(remember(done.error()));
}

// --- Writing ------------------------------------------------------------------------------------

SegmentLog::Status SegmentLog::write(BatchBuffer& group) {
  if (failure_) return tl::unexpected(*failure_);
  if (group.empty()) return {};
  assert(group.batches().front().header.first == written_.next());
  assert(group.batches().front().header.epoch >= epoch_);
  return settle(write_batches(group));
}

DiskResult<> SegmentLog::write_batches(BatchBuffer& group) {
  const auto batches = group.batches();
  group.seal(kPageBytes);
  std::size_t next = 0;
  while (next < batches.size()) {
    if (batches[next].header.stride() > chain_.back().room()) {
      if (auto done = rotate(batches[next].header.stride()); !done) return done;
    }
    Segment& active = chain_.back();
    const std::size_t first = next;
    std::uint64_t length = 0;
    while (next < batches.size() && length + batches[next].header.stride() <= active.room()) {
      group.stamp(next, synced_, active.checksum_seed);
      length += batches[next].header.stride();
      ++next;
    }
    // Whole pages need not be read before they are written, and the zeros end the segment visibly.
    const std::uint64_t end = active.end + length;
    const std::uint64_t padding =
        next == batches.size() ? round_up(end, kPageBytes) - end : std::uint64_t{0};
    const auto bytes =
        group.bytes(batches[first].offset, static_cast<std::size_t>(length + padding));
    active.synced = false;
    if (auto done = active.file->write_at(active.end, bytes); !done) return done;
    active.end = end;
    if (active.first == Lsn()) active.first = batches[first].header.first;
    active.last = batches[next - 1].header.last();
    written_ = active.last;
    epoch_ = batches[next - 1].header.epoch;
    noted_ = synced_;
  }
  return {};
}

DiskResult<> SegmentLog::rotate(std::uint64_t batch_bytes) {
  Segment& full = chain_.back();
  std::uint64_t generation = full.generation + 1;
  if (full.first == Lsn()) {
    // Too small for its first batch: the chain holds no segment without records.
    generation = full.generation;
    full.file.reset();
    if (next_) {
      next_->file.reset();
      if (auto done = files_->recycle(next_->generation, next_->file_bytes); !done) return done;
      next_.reset();
    }
    if (auto done = files_->recycle(full.generation, full.file_bytes); !done) return done;
    chain_.pop_back();
  } else if (options_.durability == Durability::fsync) {
    if (auto done = sync_all(); !done) return done;
  }
  if (!chain_.empty()) chain_.back().file.reset();
  if (next_ && next_->room() < batch_bytes) {
    next_->file.reset();
    if (auto done = files_->recycle(next_->generation, next_->file_bytes); !done) return done;
    next_.reset();
  }
  if (!next_) {
    auto made = files_->make_segment(generation, synced_, batch_bytes);
    if (!made) return tl::unexpected(made.error());
    next_ = std::move(*made);
  }
  chain_.push_back(std::move(*next_));
  next_.reset();
  return files_->refresh_space();
}

SegmentLog::Status SegmentLog::sync() {
  if (failure_) return tl::unexpected(*failure_);
  return settle(sync_all());
}

DiskResult<> SegmentLog::sync_all() {
  for (Segment& segment : chain_) {
    if (segment.synced) continue;
    const bool sealed = segment.file == nullptr;
    if (sealed) {
      auto file = files_->open_segment(segment.generation);
      if (!file) return tl::unexpected(file.error());
      segment.file = std::move(*file);
    }
    if (auto done = segment.file->sync_data(); !done) return done;
    segment.synced = true;
    if (sealed) segment.file.reset();
  }
  synced_ = written_;
  return {};
}

// --- Releasing ----------------------------------------------------------------------------------

tl::expected<bool, Error> SegmentLog::release_before(Lsn lsn, std::size_t max_segments) {
  if (failure_) return tl::unexpected(*failure_);
  const auto more = release(lsn, max_segments);
  if (!more) return tl::unexpected(remember(more.error()));
  return *more;
}

DiskResult<bool> SegmentLog::release(Lsn lsn, std::size_t max_segments) {
  std::size_t released = 0;
  bool more = false;
  while (chain_.size() > 1 && chain_.front().last < lsn) {
    if (!later_record_is_durable()) {
      // Without fsync durability nothing has been synced yet: what replaces the segment must be.
      if (auto done = sync_all(); !done) return tl::unexpected(done.error());
      if (!later_record_is_durable()) break;
    }
    more = released == max_segments;
    if (more) break;
    const Segment& oldest = chain_.front();
    if (auto done = files_->recycle(oldest.generation, oldest.file_bytes); !done) {
      return tl::unexpected(done.error());
    }
    chain_.pop_front();
    ++released;
  }
  if (released != 0) {
    if (auto done = files_->refresh_space(); !done) return tl::unexpected(done.error());
  }
  return more;
}

bool SegmentLog::later_record_is_durable() const {
  const Segment& second = chain_[1];
  return second.first != Lsn() && second.first <= synced_;
}

// --- Space --------------------------------------------------------------------------------------

tl::expected<bool, Error> SegmentLog::maintain(std::uint64_t budget_bytes) {
  if (failure_) return tl::unexpected(*failure_);
  if (!next_ && files_->spares() > 0) {
    auto made = files_->make_segment(chain_.back().generation + 1, synced_, 0);
    if (!made) return tl::unexpected(remember(made.error()));
    next_ = std::move(*made);
    return true;
  }
  const std::size_t wanted = limits::kReserveSegments + (next_ ? 0 : 1);
  const auto more = files_->make_spares(wanted, budget_bytes);
  if (!more) return tl::unexpected(remember(more.error()));
  return *more || (!next_ && files_->spares() > 0);
}

SegmentLog::Status SegmentLog::refresh_space() {
  if (failure_) return tl::unexpected(*failure_);
  return settle(files_->refresh_space());
}

std::uint64_t SegmentLog::headroom_bytes() const {
  const std::uint64_t ready = files_->spares() + (next_ ? 1 : 0);
  return chain_.back().room() + ready * options_.segment_bytes + files_->creatable_bytes();
}

JournalUsage SegmentLog::usage(std::uint64_t backlog_bytes) const {
  JournalUsage usage;
  usage.segments = chain_.size();
  for (const Segment& segment : chain_) usage.bytes += segment.end;
  if (chain_.size() > 1) usage.oldest_segment_last = chain_.front().last;
  usage.accepts_submits = headroom_bytes() > options_.reserve_bytes() + backlog_bytes;
  return usage;
}

// --- Closing ------------------------------------------------------------------------------------

SegmentLog::Status SegmentLog::close() {
  if (failure_) return tl::unexpected(*failure_);
  auto done = sync_all();
  if (done && noted_ < synced_) done = write_closing_note();
  return settle(done);
}

DiskResult<> SegmentLog::write_closing_note() {
  Segment& active = chain_.back();
  if (active.room() < kBatchHeaderBytes) return {};
  BatchHeader note;
  note.first = written_.next();
  note.epoch = epoch_;
  note.durable = synced_;
  std::array<std::byte, kBatchHeaderBytes> bytes{};
  encode_batch_header(note, active.checksum_seed, bytes);
  if (auto written = active.file->write_at(active.end, bytes); !written) return written;
  active.end += note.stride();
  noted_ = synced_;
  return active.file->sync_data();
}

}  // namespace taskpipe::broker
