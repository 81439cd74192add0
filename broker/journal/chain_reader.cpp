#include "broker/journal/chain_reader.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "broker/journal/byte_buffer.hpp"
#include "broker/journal/record_codec.hpp"

namespace taskpipe::broker {
namespace {

using Status = tl::expected<void, Error>;

tl::unexpected<Error> refuse(std::string text) { return tl::unexpected(damaged(std::move(text))); }
constexpr const char* kNewerRemedy =
    "; start the release that wrote it or a later one, or give this one another data folder";
std::string number(std::uint64_t value) { return std::to_string(value); }

// What lies behind the end of the chain of batches.
struct Remains {
  Lsn durable;  // the highest LSN that anything there proves to have been durable
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  bool in_last_of_chain = false;  // some of it is in the segment where the chain ends
};

class ChainReader {
 public:
  ChainReader(const SegmentFolder& folder, const ReplayCallback& replay,
              const SegmentVisitor& visit)
      : folder_(folder), replay_(replay), visit_(visit) {}

  tl::expected<ReadChain, Error> run();

 private:
  Status check_names() const;
  Status walk_all();
  Status load(std::uint64_t generation);
  Status parse_header(std::uint64_t generation, std::span<const std::byte> page,
                      std::uint64_t file_bytes);
  Status walk_loaded();
  Status accept(const BatchHeader& header, std::span<const std::byte> body);
  [[nodiscard]] bool follows(const BatchHeader& header) const;
  tl::expected<bool, Error> goes_on_in(std::uint64_t generation);
  tl::expected<Remains, Error> look_behind_end();
  void scan_loaded(std::uint64_t from, bool last_of_chain, Remains& remains);
  Status judge(const Remains& remains) const;
  [[nodiscard]] std::string place(std::uint64_t generation, std::uint64_t offset) const {
    return folder_.path_of(generation) + " at offset " + number(offset);
  }
  // Only the first retained record tells its own number, and only when older ones were released.
  [[nodiscard]] bool any_lsn_may_follow() const {
    return report_.records == 0 && folder_.segments().front() != kFirstGeneration;
  }

  const SegmentFolder& folder_;
  const ReplayCallback& replay_;
  const SegmentVisitor& visit_;
  RecoveryReport report_;
  std::deque<Segment> chain_;
  std::optional<JournalId> journal_;
  Lsn durable_;  // proven by what has been read so far
  // The segment that was loaded last: the chain's last is looked at twice and read once.
  std::optional<std::uint64_t> loaded_;
  std::vector<std::byte> bytes_;
  SegmentHeader header_;
};

// --- The chain ----------------------------------------------------------------------------------

Status ChainReader::check_names() const {
  const auto& found = folder_.segments();
  for (std::size_t i = 1; i < found.size(); ++i) {
    if (found[i] != found[i - 1] + 1) {
      return refuse("the journal has a gap: " + folder_.path_of(found[i - 1] + 1) +
                    " is missing, though later segments exist");
    }
  }
  return {};
}

Status ChainReader::parse_header(std::uint64_t generation, std::span<const std::byte> page,
                                 std::uint64_t file_bytes) {
  const std::string path = folder_.path_of(generation);
  const ParsedSegmentHeader parsed = parse_segment_header(page);
  switch (parsed.flaw) {
    case HeaderFlaw::none: break;
    case HeaderFlaw::not_a_segment: return refuse(path + " does not begin like a journal segment");
    case HeaderFlaw::damaged: return refuse(path + " has a damaged header (offset 0)");
    case HeaderFlaw::newer_version:
      return tl::unexpected(Error{ErrorCode::version,
                                  path + " was written by a newer taskpipe (journal format " +
                                      number(parsed.version) + ", this one reads up to " +
                                      number(kFormatVersion) + ")" + kNewerRemedy,
                                  "journal"});
  }
  header_ = parsed.header;
  if (header_.generation != generation) {
    return refuse(path + " holds segment " + number(header_.generation) + ": it was renamed");
  }
  if (header_.file_bytes != file_bytes) {
    return refuse(path + " has " + number(file_bytes) + " bytes instead of " +
                  number(header_.file_bytes));
  }
  if (journal_ && *journal_ != header_.journal) {
    return refuse(path + " belongs to another journal than the segments before it");
  }
  journal_ = header_.journal;
  return {};
}

Status ChainReader::load(std::uint64_t generation) {
  if (loaded_ != generation) {
    loaded_.reset();
    if (auto read = read_segment(folder_, generation, bytes_); !read) return read;
    loaded_ = generation;
  }
  return parse_header(generation, bytes_, bytes_.size());
}

bool ChainReader::follows(const BatchHeader& header) const {
  const bool right_lsn = any_lsn_may_follow()
                             ? header.records != 0 && header.first > header_.durable
                             : header.first == report_.last.next();
  return right_lsn && header.epoch >= report_.highest_epoch && header.durable < header.first;
}

Status ChainReader::walk_loaded() {
  Segment& segment = chain_.back();
  while (segment.end < bytes_.size()) {
    const auto rest = std::span<const std::byte>(bytes_).subspan(segment.end);
    const auto header = recognise_batch(rest, segment.checksum_seed);
    if (!header || !follows(*header) || header->stride() > rest.size()) break;
    const auto body = rest.subspan(kBatchHeaderBytes, header->body_bytes);
    if (!body_is_intact(*header, body)) break;
    if (auto accepted = accept(*header, body); !accepted) return accepted;
    segment.end += header->stride();
  }
  segment.last = report_.last;
  return {};
}

// The checksum holds, so the bytes are what was written: whatever cannot be read is not damage by
// the disk and must not be cut.
Status ChainReader::accept(const BatchHeader& header, std::span<const std::byte> body) {
  Segment& segment = chain_.back();
  ByteReader reader(body);
  Lsn lsn = header.first;
  for (std::uint32_t i = 0; i < header.records; ++i, lsn = lsn.next()) {
    auto record = decode_record(reader.take_bytes(reader.take_fixed32()));
    if (reader.failed() || !record) {
      const std::string why = reader.failed() ? "it is longer than its batch" : record.error().text;
      return tl::unexpected(Error{ErrorCode::version,
                                  "journal record " + number(lsn.value()) + " in " +
                                      place(segment.generation, segment.end) +
                                      " cannot be understood: " + why + kNewerRemedy,
                                  "journal"});
    }
    replay_(lsn, std::move(*record));
  }
  report_.highest_epoch = header.epoch;
  durable_ = std::max(durable_, header.durable);
  if (header.records == 0) return {};
  if (segment.first == Lsn()) segment.first = header.first;
  if (report_.first == Lsn()) report_.first = header.first;
  report_.last = header.last();
  report_.records += header.records;
  return {};
}

// Whether the first batch of that segment is the one that is expected now. Its header is enough: it
// proves that nothing is missing before it.
tl::expected<bool, Error> ChainReader::goes_on_in(std::uint64_t generation) {
  auto file = folder_.open(generation, OpenMode::read_only);
  if (!file) return tl::unexpected(unreadable(file.error()));
  const auto size = (*file)->size();
  if (!size) return tl::unexpected(unreadable(size.error()));
  std::array<std::byte, kSegmentHeaderBytes + kBatchHeaderBytes> start{};
  const auto got = (*file)->read_at(0, start);
  if (!got) return tl::unexpected(unreadable(got.error()));
  const auto read = std::span<const std::byte>(start).first(*got);
  if (auto parsed = parse_header(generation, read, *size); !parsed) {
    return tl::unexpected(parsed.error());
  }
  const auto first = recognise_batch(read.subspan(kSegmentHeaderBytes), header_.checksum_seed());
  return first && follows(*first);
}

Status ChainReader::walk_all() {
  const auto& found = folder_.segments();
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (auto loaded = load(found[i]); !loaded) return loaded;
    Segment segment;
    segment.generation = found[i];
    segment.checksum_seed = header_.checksum_seed();
    segment.file_bytes = bytes_.size();
    chain_.push_back(std::move(segment));
    durable_ = std::max(durable_, header_.durable);
    if (auto walked = walk_loaded(); !walked) return walked;
    if (visit_) {
      if (auto visited = visit_(chain_.back(), bytes_); !visited) return visited;
    }
    // A segment is released only when a later one holds a durable record.
    if (any_lsn_may_follow()) {
      return refuse("the oldest segment, " + folder_.path_of(found[i]) +
                    ", begins with a damaged batch (offset " + number(kSegmentHeaderBytes) + ")");
    }
    if (i + 1 == found.size()) break;
    const auto goes_on = goes_on_in(found[i + 1]);
    if (!goes_on) return tl::unexpected(goes_on.error());
    if (!*goes_on) break;
  }
  return {};
}

// --- Behind its end -----------------------------------------------------------------------------

void ChainReader::scan_loaded(std::uint64_t from, bool last_of_chain, Remains& remains) {
  const std::uint32_t seed = header_.checksum_seed();
  std::uint64_t recognised_end = from;
  for (std::uint64_t at = from; at + kBatchHeaderBytes <= bytes_.size(); at += kBatchAlignment) {
    const auto header = recognise_batch(std::span<const std::byte>(bytes_).subspan(at), seed);
    if (!header) continue;
    remains.durable = std::max(remains.durable, header->durable);
    remains.records += header->records;
    recognised_end = std::max(recognised_end, at + header->stride());
    remains.in_last_of_chain = remains.in_last_of_chain || last_of_chain;
  }
  remains.bytes += std::min<std::uint64_t>(recognised_end, bytes_.size()) - from;
}

tl::expected<Remains, Error> ChainReader::look_behind_end() {
  Remains remains;
  for (const std::uint64_t generation : folder_.segments()) {
    const Segment& end = chain_.back();
    if (generation < end.generation) continue;
    if (auto loaded = load(generation); !loaded) return tl::unexpected(loaded.error());
    remains.durable = std::max(remains.durable, header_.durable);
    const bool last_of_chain = generation == end.generation;
    scan_loaded(last_of_chain ? end.end : kSegmentHeaderBytes, last_of_chain, remains);
  }
  return remains;
}

Status ChainReader::judge(const Remains& remains) const {
  const Segment& end = chain_.back();
  const Lsn durable = std::max(durable_, remains.durable);
  if (durable <= report_.last) return {};
  std::string where = place(end.generation, end.end);
  if (end.generation != folder_.segments().back()) {
    where += ", or at the beginning of the next segment";
  }
  return refuse("the journal is damaged: record " + number(report_.last.value() + 1) + ", in " +
                where + ", cannot be read, though everything up to record " +
                number(durable.value()) + " had been reported durable");
}

tl::expected<ReadChain, Error> ChainReader::run() {
  Status status = check_names();
  if (status) status = walk_all();
  if (!status) return tl::unexpected(status.error());
  if (chain_.empty()) return ReadChain{};
  const auto remains = look_behind_end();
  if (!remains) return tl::unexpected(remains.error());
  status = judge(*remains);
  if (!status) return tl::unexpected(status.error());
  report_.segments = chain_.size();
  report_.cut_records = remains->records;
  report_.cut_bytes = remains->bytes;
  return ReadChain{std::move(chain_), report_, durable_, journal_, remains->in_last_of_chain};
}

}  // namespace

Error damaged(std::string text) {
  return Error{ErrorCode::storage,
               std::move(text) +
                   "; restore the data folder from a backup, or move all of it away to start empty",
               "journal"};
}

Error unreadable(const DiskFault& fault) {
  return Error{ErrorCode::storage, "the journal cannot be read: " + fault.text, "journal"};
}

tl::expected<void, Error> read_segment(const SegmentFolder& folder, std::uint64_t generation,
                                       std::vector<std::byte>& bytes) {
  auto file = folder.open(generation, OpenMode::read_only);
  if (!file) return tl::unexpected(unreadable(file.error()));
  const auto size = (*file)->size();
  if (!size) return tl::unexpected(unreadable(size.error()));
  if (bytes.size() != *size) {
    bytes.clear();
    bytes.resize(static_cast<std::size_t>(*size));
  }
  const auto got = (*file)->read_at(0, bytes);
  if (!got) return tl::unexpected(unreadable(got.error()));
  if (*got != bytes.size()) {
    return refuse(folder.path_of(generation) + " became shorter while it was read");
  }
  return {};
}

tl::expected<ReadChain, Error> read_chain(const SegmentFolder& folder, const ReplayCallback& replay,
                                          const SegmentVisitor& visit) {
  return ChainReader(folder, replay, visit).run();
}

}  // namespace taskpipe::broker
