// Encodes appended records into batches that are ready to be written: the headers' places are left
// free, so that a group of batches goes to disk in one piece, without being copied.
//
// The buffer is reused: `clear` keeps its memory (up to limits::kMaxIdleBufferBytes). One thread at
// a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "broker/core/record.hpp"
#include "broker/journal/byte_buffer.hpp"
#include "broker/journal/segment_format.hpp"
#include "common/model/error.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::broker {

// A batch within the buffer: `offset` is the place of its header, its body follows.
struct BufferedBatch {
  std::size_t offset = 0;
  BatchHeader header;  // without body_checksum and durable, which are known when it is written
};

class BatchBuffer {
 public:
  // A batch is closed once its body has `batch_bytes`; one record more than that fits in any case.
  explicit BatchBuffer(std::size_t batch_bytes = limits::kJournalBatchBytes)
      : batch_bytes_(batch_bytes) {}

  // Encodes `records`, the first of which is number `first`. TOO_BIG, naming the record, when one
  // exceeds limits::kMaxRecordBytes; the buffer is then as it was.
  [[nodiscard]] std::optional<Error> append(Epoch epoch, Lsn first,
                                            std::span<const Record> records);

  [[nodiscard]] bool empty() const { return batches_.empty(); }
  [[nodiscard]] std::size_t size_bytes() const { return bytes_.size(); }
  [[nodiscard]] Lsn last() const { return last_; }  // of the last record appended since `clear`
  void clear();

  // For the writer. `seal` pads the end with zeros up to `padding` bytes more (so that a write can
  // end at a page's end); nothing may be appended between it and `clear`.
  void seal(std::size_t padding);
  [[nodiscard]] std::span<const BufferedBatch> batches() const { return batches_; }
  // Completes the header of batch `index` in place.
  void stamp(std::size_t index, Lsn durable, std::uint32_t checksum_seed);
  [[nodiscard]] std::span<const std::byte> bytes(std::size_t offset, std::size_t count) const {
    return bytes_.bytes().subspan(offset, count);
  }

 private:
  [[nodiscard]] bool continues(Epoch epoch, Lsn first) const;
  void begin_batch(Epoch epoch, Lsn first);

  std::size_t batch_bytes_;
  ByteBuffer bytes_;
  std::vector<BufferedBatch> batches_;
  Lsn last_;
};

}  // namespace taskpipe::broker
