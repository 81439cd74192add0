// How a journal is kept.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "broker/journal/segment_format.hpp"
#include "common/model/error.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::broker {

// What `durable` promises.
enum class Durability : std::uint8_t {
  fsync = 0,  // survives a power loss
  os = 1,     // handed to the operating system: survives the end of the broker, not of the host
  none = 2,   // appended: written soon after, but nobody waits for it
};

struct SegmentLogOptions {
  std::string folder;  // the broker's data folder; the journal lives in its subfolder "journal"
  std::uint64_t segment_bytes = limits::kSegmentBytes;  // a multiple of kPageBytes
  // Submits are refused when the journal's files would need more than this; 0 = the file system
  // decides. Results and cancels may exceed it rather than end the broker.
  std::uint64_t max_bytes = 0;
  // Submits are refused while more than this has been appended but not yet written.
  std::uint64_t max_backlog_bytes = limits::kMaxJournalBacklogBytes;
  std::size_t max_spares = limits::kMaxSpareSegments;
  Durability durability = Durability::fsync;
  // With another durability the medium follows what was written after this long; nobody waits.
  std::uint32_t sync_after_ms = 1000;
  // Of the segments' salts: random in production. A simulation fixes it, but must give each start
  // of a broker another one.
  std::uint64_t seed = 0;

  [[nodiscard]] std::size_t batch_bytes() const {
    constexpr std::uint64_t kBatchesPerSegment = 8;  // at least; bounds what rotation leaves unused
    return std::min<std::size_t>(limits::kJournalBatchBytes,
                                 (segment_bytes - kSegmentHeaderBytes) / kBatchesPerSegment);
  }
  [[nodiscard]] std::uint64_t reserve_bytes() const {
    return limits::kReserveSegments * segment_bytes;
  }
};

// INVALID naming the field and what it may be, or nothing.
[[nodiscard]] std::optional<Error> check_options(const SegmentLogOptions& options);

}  // namespace taskpipe::broker
