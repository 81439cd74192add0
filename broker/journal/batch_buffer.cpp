#include "broker/journal/batch_buffer.hpp"

#include <cassert>
#include <string>

#include "broker/journal/crc32c.hpp"
#include "broker/journal/record_codec.hpp"

namespace taskpipe::broker {

bool BatchBuffer::continues(Epoch epoch, Lsn first) const {
  if (batches_.empty()) return false;
  const BatchHeader& header = batches_.back().header;
  return header.epoch == epoch && header.first.value() + header.records == first.value() &&
         header.body_bytes < batch_bytes_;
}

void BatchBuffer::begin_batch(Epoch epoch, Lsn first) {
  bytes_.put_zeros(round_up(bytes_.size(), kBatchAlignment) - bytes_.size());
  BufferedBatch batch;
  batch.offset = bytes_.size();
  batch.header.epoch = epoch;
  batch.header.first = first;
  batches_.push_back(batch);
  bytes_.put_zeros(kBatchHeaderBytes);
}

std::optional<Error> BatchBuffer::append(Epoch epoch, Lsn first, std::span<const Record> records) {
  const std::size_t old_size = bytes_.size();
  const std::size_t old_batches = batches_.size();
  const BatchHeader old_header = batches_.empty() ? BatchHeader{} : batches_.back().header;
  const Lsn old_last = last_;
  Lsn lsn = first;
  for (const Record& record : records) {
    if (!continues(epoch, lsn)) begin_batch(epoch, lsn);
    const std::size_t start = bytes_.size();
    bytes_.put_fixed32(0);
    encode_record(record, bytes_);
    const std::size_t length = bytes_.size() - start - kRecordLengthBytes;
    if (length > limits::kMaxRecordBytes) {
      bytes_.truncate(old_size);
      last_ = old_last;
      batches_.resize(old_batches);
      if (!batches_.empty()) batches_.back().header = old_header;
      return Error{ErrorCode::too_big,
                   "journal record " + std::to_string(lsn.value()) + " takes " +
                       std::to_string(length) + " bytes, at most " +
                       std::to_string(limits::kMaxRecordBytes) +
                       " are allowed; split the submission",
                   "record"};
    }
    store_little_endian(bytes_.data() + start, static_cast<std::uint32_t>(length));
    BatchHeader& header = batches_.back().header;
    header.records += 1;
    header.body_bytes += static_cast<std::uint32_t>(kRecordLengthBytes + length);
    last_ = lsn;
    lsn = lsn.next();
  }
  return std::nullopt;
}

void BatchBuffer::clear() {
  if (bytes_.capacity() > limits::kMaxIdleBufferBytes) {
    bytes_.reset();
  } else {
    bytes_.clear();
  }
  batches_.clear();
  last_ = Lsn();
}

void BatchBuffer::seal(std::size_t padding) {
  bytes_.put_zeros(round_up(bytes_.size(), kBatchAlignment) - bytes_.size() + padding);
}

void BatchBuffer::stamp(std::size_t index, Lsn durable, std::uint32_t checksum_seed) {
  BufferedBatch& batch = batches_[index];
  assert(durable < batch.header.first);
  const std::size_t body = batch.offset + kBatchHeaderBytes;
  batch.header.durable = durable;
  batch.header.body_checksum = crc32c(0, bytes(body, batch.header.body_bytes));
  encode_batch_header(
      batch.header, checksum_seed,
      std::span<std::byte, kBatchHeaderBytes>(bytes_.data() + batch.offset, kBatchHeaderBytes));
}

}  // namespace taskpipe::broker
