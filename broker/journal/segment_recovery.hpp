// Reads a journal folder at the start of the broker: replays what is intact, tells a torn tail from
// lost data, and leaves the folder so that appending can go on. See segment_format.hpp for the
// rules.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>

#include <tl/expected.hpp>

#include "broker/core/record.hpp"
#include "broker/journal/segment_files.hpp"
#include "common/model/error.hpp"
#include "common/model/ids.hpp"

namespace taskpipe::broker {

// Receives every retained record, in order; before a start that is refused in the end, some of
// them.
using ReplayCallback = std::function<void(Lsn, Record&&)>;

struct RecoveryReport {
  Lsn first;            // of the retained records; 0 = none
  Lsn last;             // 0 = an empty journal: the first record will be number 1
  Epoch highest_epoch;  // 0 = none
  std::uint64_t records = 0;
  std::uint64_t segments = 0;
  // The torn tail that was cut: none of it had been reported durable. A record whose batch header
  // did not reach the disk is not counted.
  std::uint64_t cut_records = 0;
  std::uint64_t cut_bytes = 0;
};

struct RecoveredChain {
  std::deque<Segment> segments;  // never empty; the last one is open for appending
  RecoveryReport report;
  Lsn noted;  // the journal itself says that everything up to here is durable
};

// On return everything replayed is on the medium. `files` have just been opened; the first segment
// is made when there is none. Errors: STORAGE with file, offset and LSN where the journal is
// damaged below what was durable; VERSION where a newer taskpipe wrote it.
// Cost: one sequential read of the retained segments, one segment in memory at a time.
[[nodiscard]] tl::expected<RecoveredChain, Error> recover_chain(SegmentFiles& files,
                                                                const ReplayCallback& replay);

}  // namespace taskpipe::broker
