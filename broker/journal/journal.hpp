// The journal's contract: the truth of the broker, append-only.
//
// Records are appended by the loop thread, which goes on at once; the journal makes them durable in
// groups and reports how far it got. An implementation that cannot write any more ends the process
// (through the failure callback it was given): nothing that was appended can be taken back.
#pragma once

#include <cstdint>
#include <span>

#include "broker/core/record.hpp"
#include "common/model/ids.hpp"

namespace taskpipe::broker {

struct JournalUsage {
  std::uint64_t bytes = 0;     // in segments that still hold retained records
  std::uint64_t segments = 0;  // of these
  Lsn oldest_segment_last;     // last LSN of the oldest sealed segment; 0 = only one segment
  // False while only the reserve is left. A failed journal goes on saying what it said: its process
  // ends, and a client that hears nothing asks the next one, where a refusal would be final.
  bool accepts_submits = true;
  std::uint64_t backlog_bytes = 0;  // in memory: appended, not written yet
};

class Journal {
 public:
  Journal() = default;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  virtual ~Journal() = default;

  // Takes over `records`, numbered from `first_lsn`, which must follow `appended()`. `epoch` must
  // be the highest the journal has seen: a superseded broker cannot write (ends the process).
  // Encodes before it returns; never waits for the disk. Loop thread only.
  virtual void append(Epoch epoch, Lsn first_lsn, std::span<const Record> records) = 0;

  [[nodiscard]] virtual Lsn appended() const = 0;
  // Everything up to here survives what the configured durability promises: a power loss, or only
  // the end of this process. Any thread; never decreases.
  [[nodiscard]] virtual Lsn durable() const = 0;
  // Everything up to here survives a power loss, whatever the durability; follows `durable` soon.
  // What is kept elsewhere for longer than the journal keeps it must not be ahead of this. Any
  // thread; never decreases.
  [[nodiscard]] virtual Lsn synced() const = 0;
  [[nodiscard]] virtual JournalUsage usage() const = 0;

  // No record below `lsn` is needed any more; segments that end below it are recycled. The caller
  // owes that what replaces them (images, history) is durable. Loop thread only.
  virtual void release_before(Lsn lsn) = 0;
};

}  // namespace taskpipe::broker
