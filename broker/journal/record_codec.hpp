// Records as bytes: what the journal keeps on disk.
//
// A record is one type byte and its fields in order, without names or padding. Counters are
// varints, times and exit codes zigzag varints, hashes fixed. Task ids are written against the
// task id before them in the same record: varint 0 and 16 bytes, or 1 + zigzag(difference of the
// low half) when the high halves agree, which is one byte inside a batch.
//
// A layout never changes. A new layout gets a new type byte, and decoders keep reading the old one;
// an unknown type byte is an error, since a record that is skipped is a fact that is lost.
//
// Stateless, so safe from any thread. Decoding is strict: every byte must be used, every
// enumeration known, every index in range, every number in its one encoding; memory stays
// proportional to the input.
#pragma once

#include <cstddef>
#include <span>

#include <tl/expected.hpp>

#include "broker/core/record.hpp"
#include "broker/journal/byte_buffer.hpp"
#include "common/model/error.hpp"

namespace taskpipe::broker {

// Appends `record` to `out`. The caller owes a well-formed record (asserted): specifications are
// not null, indices into them in range, enumerations known. About 40 ns per task; allocates nothing
// but the growth of `out`.
void encode_record(const Record& record, ByteBuffer& out);

// The record that `bytes` hold, no more and no less. MALFORMED says where they are wrong.
[[nodiscard]] tl::expected<Record, Error> decode_record(std::span<const std::byte> bytes);

}  // namespace taskpipe::broker
