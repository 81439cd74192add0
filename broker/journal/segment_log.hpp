// The journal without its thread: batches are written, synced and released when the caller says so,
// over any Disk. What SegmentJournal does on its commit thread and a simulator does step by step is
// this class; it is deterministic, given its disk and the seed in its options.
//
// The first fault of the disk is final: every later call returns it again. After a failed sync
// nobody knows what is on the medium, and only a new start may find out.
//
//   auto log = SegmentLog::open(disk, options, replay);
//   BatchBuffer group = (*log)->make_buffer();
//   group.append(epoch, (*log)->written().next(), records);
//   (*log)->write(group); group.clear();
//   (*log)->sync();                                    // now (*log)->synced() covers them
//
// Thread: one at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>

#include <tl/expected.hpp>

#include "broker/journal/batch_buffer.hpp"
#include "broker/journal/disk.hpp"
#include "broker/journal/journal.hpp"
#include "broker/journal/segment_files.hpp"
#include "broker/journal/segment_log_options.hpp"
#include "broker/journal/segment_recovery.hpp"
#include "common/model/error.hpp"

namespace taskpipe::broker {

class SegmentLog {
 public:
  using Status = tl::expected<void, Error>;

  // Recovers what the folder holds (see recover_chain) and replays it. `disk` must outlive the
  // log. The folder stays locked until the log is destroyed.
  [[nodiscard]] static tl::expected<std::unique_ptr<SegmentLog>, Error> open(
      Disk& disk, const SegmentLogOptions& options, const ReplayCallback& replay);

  [[nodiscard]] const RecoveryReport& recovery() const { return report_; }
  [[nodiscard]] BatchBuffer make_buffer() const { return BatchBuffer(options_.batch_bytes()); }

  // Writes the group's batches, which must follow `written()`, in as few writes as segments allow.
  // Completes their headers in place; the caller clears the group.
  [[nodiscard]] Status write(BatchBuffer& group);
  // Everything written is on the medium afterwards.
  [[nodiscard]] Status sync();
  // Recycles at most `max_segments` whole segments that end below `lsn`, oldest first; never the
  // last one that holds a durable record. Returns whether more could be recycled. Some milliseconds
  // each.
  [[nodiscard]] tl::expected<bool, Error> release_before(
      Lsn lsn, std::size_t max_segments = std::numeric_limits<std::size_t>::max());
  // One bounded step (about `budget_bytes` of zeros) towards a next segment and the reserve.
  // Returns whether more is to be done.
  [[nodiscard]] tl::expected<bool, Error> maintain(std::uint64_t budget_bytes);
  // Asks the file system again how much space is left. About a microsecond.
  [[nodiscard]] Status refresh_space();
  // Syncs, and notes in the journal that all of it is durable, so that a later start can tell
  // damage at its very end from a torn write. Nothing may be written afterwards.
  [[nodiscard]] Status close();

  [[nodiscard]] Lsn written() const { return written_; }
  [[nodiscard]] Lsn synced() const { return synced_; }
  // `accepts_submits`: more than the reserve is left, for certain or by the last look at the file
  // system, after `backlog_bytes` that are appended but not yet written.
  [[nodiscard]] JournalUsage usage(std::uint64_t backlog_bytes = 0) const;
  // Bytes that can still be written before results would be refused.
  [[nodiscard]] std::uint64_t headroom_bytes() const;

 private:
  SegmentLog(const SegmentLogOptions& options, std::unique_ptr<SegmentFiles> files,
             RecoveredChain chain);
  [[nodiscard]] DiskResult<> write_batches(BatchBuffer& group);
  [[nodiscard]] DiskResult<> rotate(std::uint64_t batch_bytes);
  [[nodiscard]] DiskResult<> sync_all();
  [[nodiscard]] DiskResult<bool> release(Lsn lsn, std::size_t max_segments);
  [[nodiscard]] DiskResult<> write_closing_note();
  [[nodiscard]] bool later_record_is_durable() const;
  [[nodiscard]] Status settle(const DiskResult<>& done);
  [[nodiscard]] Error remember(const DiskFault& fault);

  SegmentLogOptions options_;
  std::unique_ptr<SegmentFiles> files_;
  RecoveryReport report_;
  std::deque<Segment> chain_;    // oldest first; the last one is written to
  std::optional<Segment> next_;  // prepared, empty, of the generation after chain_.back()
  Epoch epoch_;
  Lsn written_;
  Lsn synced_;
  Lsn noted_;  // the highest durable LSN written into the journal
  std::optional<Error> failure_;
};

}  // namespace taskpipe::broker
