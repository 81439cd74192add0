// Takes a journal folder over at the start of the broker: reads it (chain_reader.hpp), cuts a torn
// tail, and leaves the folder so that appending can go on.
#pragma once

#include <deque>

#include <tl/expected.hpp>

#include "broker/journal/chain_reader.hpp"
#include "broker/journal/segment_files.hpp"
#include "common/model/error.hpp"
#include "common/model/ids.hpp"

namespace taskpipe::broker {

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
