// The journal's files.
//
//   <data>/journal/lock                      held by the running broker (flock); holds its pid
//   <data>/journal/0000000000000007.segment  generation 7; the retained ones are consecutive
//   <data>/journal/0000000000000003.spare    zero-filled or used before, waiting to be reused
//   <data>/journal/0000000000000004.making   a spare that is not zero-filled yet; removed at start
//
// All numbers are little-endian. A segment is a file of fixed size (64 MiB by default; larger when
// one batch would not fit) whose space was written once before it is used, so that fdatasync of an
// append has no metadata to write: 92 µs against 132 µs on a growing file.
//
// SEGMENT = header page, then batches
//
//   header, 4096 bytes                          batch header, 48 bytes, at a multiple of 8
//    0  8  magic "TPJOURN\n"                     0  4  magic "TPjb"
//    8  4  format version, 3                     4  4  bytes of the body
//   12  4  zero                                  8  4  records in the body
//   16 16  journal id, same in all segments     12  4  CRC-32C of the body
//   32  8  generation                           16  8  LSN of the first record
//   40  8  salt, random at each use             24  8  epoch of the writer
//   48  8  bytes of the file                    32  8  LSN known durable when this was written
//   56  8  LSN known durable at this use        40  4  zero
//   64  4  CRC-32C of bytes 0..63               44  4  CRC-32C of (generation, salt, bytes 0..43)
//      the rest of the page is zero                 body: records, each 4 bytes of length and the
//                                                   bytes of record_codec.hpp; zeros up to 8
//
// What keeps old bytes from being read as records:
//  - A segment is a recycled file full of valid batches of its former life. The header's checksum
//    covers generation and salt, so none of them fits. Nobody who submits a task knows the salt, so
//    none can be forged inside a payload either.
//  - The first LSN must be the one that follows, the epoch may not fall.
//  - When a start cuts a torn tail in which batches of this very life are recognised, everything
//    from the cut to the end of the file is zeroed and synced before anything else is written.
//
// What tells a torn tail from lost data: the durable LSN. A batch or a segment header that says
// "durable up to N" proves that N was reported to somebody. Where the chain of batches ends, the
// start looks through everything behind the end for such proof (batches carry their own header
// checksum, so that they can be found without the chain). If a record that is missing was durable,
// the start is refused; if not, nobody was told, and the tail is cut. A batch without records
// carries nothing but this proof: one is written when the journal is closed.
//
// Order of operations:
//  - A file is named *.segment only after its header is on the medium; so a bad header is damage.
//  - With fsync durability a segment is synced before the next one receives its first batch.
//  - A segment is given up by renaming it to *.spare, strictly oldest first, each rename synced,
//    and never the last one that holds a durable record, so that LSNs cannot start over.
//
// The format assumes, as SQLite does, that writing a sector leaves the unchanged bytes in it intact
// when the power fails (powersafe overwrite).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/model/ids.hpp"

namespace taskpipe::broker {

inline constexpr std::uint32_t kFormatVersion = 3;
inline constexpr std::uint64_t kFirstGeneration = 1;  // begins with record 1
inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kSegmentHeaderBytes = kPageBytes;
inline constexpr std::size_t kBatchHeaderBytes = 48;
inline constexpr std::size_t kBatchAlignment = 8;
inline constexpr std::size_t kRecordLengthBytes = 4;

[[nodiscard]] constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

using JournalId = UniqueId<struct JournalTag>;

struct SegmentHeader {
  JournalId journal;
  std::uint64_t generation = 0;
  std::uint64_t salt = 0;
  std::uint64_t file_bytes = 0;
  Lsn durable;

  // What the checksums of this segment's batches start from.
  [[nodiscard]] std::uint32_t checksum_seed() const;
  friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

struct BatchHeader {
  std::uint32_t body_bytes = 0;
  std::uint32_t records = 0;
  std::uint32_t body_checksum = 0;
  Lsn first;
  Epoch epoch;
  Lsn durable;

  // Of the following batch, from the beginning of this one.
  [[nodiscard]] std::uint64_t stride() const {
    return round_up(kBatchHeaderBytes + body_bytes, kBatchAlignment);
  }
  [[nodiscard]] Lsn last() const { return Lsn(first.value() + records - 1); }
  friend bool operator==(const BatchHeader&, const BatchHeader&) = default;
};

using SegmentHeaderPage = std::array<std::byte, kSegmentHeaderBytes>;
[[nodiscard]] SegmentHeaderPage encode_segment_header(const SegmentHeader& header);
void encode_batch_header(const BatchHeader& header, std::uint32_t checksum_seed,
                         std::span<std::byte, kBatchHeaderBytes> to);

enum class HeaderFlaw { none, not_a_segment, newer_version, damaged };
struct ParsedSegmentHeader {
  HeaderFlaw flaw = HeaderFlaw::none;
  std::uint32_t version = 0;
  SegmentHeader header;  // meaningful without a flaw
};
[[nodiscard]] ParsedSegmentHeader parse_segment_header(std::span<const std::byte> page);

// Nothing unless the bytes begin with a batch header of this life of the segment. The body is not
// looked at and may be beyond the end of `bytes`.
[[nodiscard]] std::optional<BatchHeader> recognise_batch(std::span<const std::byte> bytes,
                                                         std::uint32_t checksum_seed);
[[nodiscard]] bool body_is_intact(const BatchHeader& header, std::span<const std::byte> body);

enum class FileKind { segment, spare, making };
struct FileName {
  FileKind kind = FileKind::segment;
  std::uint64_t number = 0;
};
[[nodiscard]] std::string to_text(const FileName& name);
[[nodiscard]] std::optional<FileName> parse_file_name(std::string_view text);

}  // namespace taskpipe::broker
