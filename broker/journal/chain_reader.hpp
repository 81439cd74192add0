// Reads the batches of a journal folder without changing anything: replays what is intact, and
// tells a torn tail from lost data. See segment_format.hpp for the rules.
//
// The one parser of the format: a start goes on from here (segment_recovery.hpp), and --check,
// --backup and a broker that cannot write read with it as well.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "broker/core/record.hpp"
#include "broker/journal/segment_folder.hpp"
#include "common/model/error.hpp"
#include "common/model/ids.hpp"

namespace taskpipe::broker {

// Receives every retained record, in order; before a reading that is refused in the end, some of
// them.
using ReplayCallback = std::function<void(Lsn, Record&&)>;

struct RecoveryReport {
  Lsn first;            // of the retained records; 0 = none
  Lsn last;             // 0 = an empty journal: the first record will be number 1
  Epoch highest_epoch;  // 0 = none
  std::uint64_t records = 0;
  std::uint64_t segments = 0;
  // The torn tail, which a start cuts: none of it had been reported durable. A record whose batch
  // header did not reach the disk is not counted.
  std::uint64_t cut_records = 0;
  std::uint64_t cut_bytes = 0;
};

// A segment of the chain as it was read: the bytes up to `segment.end` are its header and batches.
// An error ends the reading.
using SegmentVisitor = std::function<tl::expected<void, Error>(const Segment& segment,
                                                               std::span<const std::byte> bytes)>;

struct ReadChain {
  std::deque<Segment> segments;  // closed; empty when the folder holds none
  RecoveryReport report;
  Lsn durable;  // the journal itself says that everything up to here is
  std::optional<JournalId> journal;
  bool tail_in_last = false;  // some of the torn tail is in the segment where the chain ends
};

// Reads the segments that `folder` saw when it looked. Errors: STORAGE with file, offset and LSN
// where the journal is damaged below what was durable, and where it cannot be read; VERSION where a
// newer taskpipe wrote it.
// Cost: one sequential read of the retained segments, one segment in memory at a time.
[[nodiscard]] tl::expected<ReadChain, Error> read_chain(const SegmentFolder& folder,
                                                        const ReplayCallback& replay,
                                                        const SegmentVisitor& visit = {});

// All bytes of one segment's file; `bytes` keeps its memory from one to the next.
[[nodiscard]] tl::expected<void, Error> read_segment(const SegmentFolder& folder,
                                                     std::uint64_t generation,
                                                     std::vector<std::byte>& bytes);

// STORAGE with the remedy for a journal that has lost what it had promised.
[[nodiscard]] Error damaged(std::string text);
[[nodiscard]] Error unreadable(const DiskFault& fault);

}  // namespace taskpipe::broker
