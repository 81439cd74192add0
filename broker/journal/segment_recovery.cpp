#include "broker/journal/segment_recovery.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "broker/journal/byte_buffer.hpp"
#include "broker/journal/record_codec.hpp"

namespace taskpipe::broker {
namespace {

using Status = tl::expected<void, Error>;

constexpr const char* kDamageRemedy =
    "; restore the data folder from a copy, or move its journal folder away to start empty";

tl::unexpected<Error> refuse(std::string text) {
  return tl::unexpected(Error{ErrorCode::storage, std::move(text) + kDamageRemedy, "journal"});
}
tl::unexpected<Error> unreadable(const DiskFault& fault) {
  return tl::unexpected(
      Error{ErrorCode::storage, "the journal cannot be read: " + fault.text, "journal"});
}
tl::unexpected<Error> unwritable(const DiskFault& fault) {
  return tl::unexpected(
      Error{ErrorCode::storage,
            "the journal cannot be written: " + fault.text +
                (fault.is_full() ? "; free space there, or choose another data folder" : ""),
            "journal"});
}
std::string number(std::uint64_t value) { return std::to_string(value); }

// What lies behind the end of the chain of batches.
struct Remains {
  Lsn durable;  // the highest LSN that anything there proves to have been durable
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  bool in_last_of_chain = false;  // some of it is in the segment where the chain ends
};

class Recovery {
 public:
  Recovery(SegmentFiles& files, const ReplayCallback& replay) : files_(files), replay_(replay) {}

  tl::expected<RecoveredChain, Error> run();

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
  Status settle(const Remains& remains);
  Status rewrite_unproven(Segment& segment);
  Status zero_tail(Segment& segment);
  [[nodiscard]] std::string place(std::uint64_t generation, std::uint64_t offset) const {
    return files_.path_of(generation) + " at offset " + number(offset);
  }
  // Only the first retained record tells its own number, and only when older ones were released.
  [[nodiscard]] bool any_lsn_may_follow() const {
    return report_.records == 0 && files_.found().front() != kFirstGeneration;
  }

  SegmentFiles& files_;
  const ReplayCallback& replay_;
  RecoveryReport report_;
  std::deque<Segment> chain_;
  std::optional<JournalId> journal_;
  Lsn durable_;  // proven by what has been read so far
  // The segment that was loaded last.
  std::vector<std::byte> bytes_;
  SegmentHeader header_;
};

// --- The chain ----------------------------------------------------------------------------------

Status Recovery::check_names() const {
  const auto& found = files_.found();
  for (std::size_t i = 1; i < found.size(); ++i) {
    if (found[i] != found[i - 1] + 1) {
      return refuse("the journal has a gap: " + files_.path_of(found[i - 1] + 1) +
                    " is missing, though later segments exist");
    }
  }
  return {};
}

Status Recovery::parse_header(std::uint64_t generation, std::span<const std::byte> page,
                              std::uint64_t file_bytes) {
  const std::string path = files_.path_of(generation);
  const ParsedSegmentHeader parsed = parse_segment_header(page);
  switch (parsed.flaw) {
    case HeaderFlaw::none: break;
    case HeaderFlaw::not_a_segment: return refuse(path + " does not begin like a journal segment");
    case HeaderFlaw::damaged: return refuse(path + " has a damaged header (offset 0)");
    case HeaderFlaw::newer_version:
      return tl::unexpected(Error{ErrorCode::version,
                                  path + " was written by a newer taskpipe (journal format " +
                                      number(parsed.version) + ", this one reads up to " +
                                      number(kFormatVersion) + "); start that version",
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

Status Recovery::load(std::uint64_t generation) {
  auto file = files_.open_segment(generation);
  if (!file) return unreadable(file.error());
  const auto size = (*file)->size();
  if (!size) return unreadable(size.error());
  if (bytes_.size() != *size) {
    bytes_.clear();
    bytes_.resize(static_cast<std::size_t>(*size));
  }
  const auto got = (*file)->read_at(0, bytes_);
  if (!got) return unreadable(got.error());
  if (*got != bytes_.size()) {
    return refuse(files_.path_of(generation) + " became shorter while it was read");
  }
  return parse_header(generation, bytes_, *size);
}

bool Recovery::follows(const BatchHeader& header) const {
  const bool right_lsn = any_lsn_may_follow()
                             ? header.records != 0 && header.first > header_.durable
                             : header.first == report_.last.next();
  return right_lsn && header.epoch >= report_.highest_epoch && header.durable < header.first;
}

Status Recovery::walk_loaded() {
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
Status Recovery::accept(const BatchHeader& header, std::span<const std::byte> body) {
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
                                      " cannot be understood: " + why,
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
tl::expected<bool, Error> Recovery::goes_on_in(std::uint64_t generation) {
  auto file = files_.open_segment(generation);
  if (!file) return unreadable(file.error());
  const auto size = (*file)->size();
  if (!size) return unreadable(size.error());
  std::array<std::byte, kSegmentHeaderBytes + kBatchHeaderBytes> start{};
  const auto got = (*file)->read_at(0, start);
  if (!got) return unreadable(got.error());
  const auto read = std::span<const std::byte>(start).first(*got);
  if (auto parsed = parse_header(generation, read, *size); !parsed) {
    return tl::unexpected(parsed.error());
  }
  const auto first = recognise_batch(read.subspan(kSegmentHeaderBytes), header_.checksum_seed());
  return first && follows(*first);
}

Status Recovery::walk_all() {
  const auto& found = files_.found();
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (auto loaded = load(found[i]); !loaded) return loaded;
    Segment segment;
    segment.generation = found[i];
    segment.checksum_seed = header_.checksum_seed();
    segment.file_bytes = bytes_.size();
    chain_.push_back(std::move(segment));
    durable_ = std::max(durable_, header_.durable);
    if (auto walked = walk_loaded(); !walked) return walked;
    // A segment is released only when a later one holds a durable record.
    if (any_lsn_may_follow()) {
      return refuse("the oldest segment, " + files_.path_of(found[i]) +
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

void Recovery::scan_loaded(std::uint64_t from, bool last_of_chain, Remains& remains) {
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

tl::expected<Remains, Error> Recovery::look_behind_end() {
  Remains remains;
  for (const std::uint64_t generation : files_.found()) {
    const Segment& end = chain_.back();
    if (generation < end.generation) continue;
    if (auto loaded = load(generation); !loaded) return tl::unexpected(loaded.error());
    remains.durable = std::max(remains.durable, header_.durable);
    const bool last_of_chain = generation == end.generation;
    scan_loaded(last_of_chain ? end.end : kSegmentHeaderBytes, last_of_chain, remains);
  }
  return remains;
}

Status Recovery::judge(const Remains& remains) const {
  const Segment& end = chain_.back();
  const Lsn durable = std::max(durable_, remains.durable);
  if (durable <= report_.last) return {};
  std::string where = place(end.generation, end.end);
  if (end.generation != files_.found().back()) {
    where += ", or at the beginning of the next segment";
  }
  return refuse("the journal is damaged: record " + number(report_.last.value() + 1) + ", in " +
                where + ", cannot be read, though everything up to record " +
                number(durable.value()) + " had been reported durable");
}

// --- Going on -----------------------------------------------------------------------------------

// Newest first, so that an interrupted start leaves no gap. What follows the chain is an empty
// segment that had been prepared, or belongs to the torn tail; either gets a new salt this way.
Status Recovery::settle(const Remains& remains) {
  const auto& found = files_.found();
  for (std::size_t i = found.size(); i-- > 0 && found[i] > chain_.back().generation;) {
    auto file = files_.open_segment(found[i]);
    if (!file) return unreadable(file.error());
    const auto size = (*file)->size();
    if (!size) return unreadable(size.error());
    file->reset();
    if (auto done = files_.recycle(found[i], *size); !done) return unwritable(done.error());
  }
  for (Segment& segment : chain_) {
    const bool last = segment.generation == chain_.back().generation;
    if (!last && segment.last <= durable_) continue;
    auto file = files_.open_segment(segment.generation);
    if (!file) return unreadable(file.error());
    segment.file = std::move(*file);
    if (auto rewritten = rewrite_unproven(segment); !rewritten) return rewritten;
    if (last && remains.in_last_of_chain) {
      if (auto zeroed = zero_tail(segment); !zeroed) return zeroed;
    }
    if (auto synced = segment.file->sync_data(); !synced) return unwritable(synced.error());
    if (!last) segment.file.reset();
  }
  return {};
}

// What was replayed may exist in the page cache alone: an earlier process was killed between write
// and sync, or its sync failed, after which the kernel takes the pages for clean. They are written
// once more, so that the sync that follows cannot pass them over.
Status Recovery::rewrite_unproven(Segment& segment) {
  if (segment.last <= durable_) return {};
  if (auto loaded = load(segment.generation); !loaded) return loaded;
  const auto all = std::span<const std::byte>(bytes_).first(segment.end);
  std::uint64_t from = kSegmentHeaderBytes;
  while (from < segment.end) {
    const auto header = recognise_batch(all.subspan(from), segment.checksum_seed);
    if (!header) return refuse(place(segment.generation, from) + " changed while it was read");
    if (header->records != 0 && header->last() > durable_) break;
    from += header->stride();
  }
  const auto done = segment.file->write_at(from, all.subspan(from));
  return done ? Status() : unwritable(done.error());
}

Status Recovery::zero_tail(Segment& segment) {
  constexpr std::uint64_t kStepBytes = 1U << 20U;
  const std::vector<std::byte> zeros(kStepBytes);
  for (std::uint64_t at = segment.end; at < segment.file_bytes; at += kStepBytes) {
    const std::uint64_t step = std::min(kStepBytes, segment.file_bytes - at);
    const auto part = std::span(zeros).first(static_cast<std::size_t>(step));
    if (auto done = segment.file->write_at(at, part); !done) return unwritable(done.error());
  }
  return {};
}

tl::expected<RecoveredChain, Error> Recovery::run() {
  Status status = check_names();
  if (status) status = walk_all();
  if (!status) return tl::unexpected(status.error());
  if (chain_.empty()) {
    files_.set_journal(files_.draw_journal_id());
    auto first = files_.make_segment(kFirstGeneration, Lsn(), 0);
    if (!first) return unwritable(first.error());
    chain_.push_back(std::move(*first));
    return RecoveredChain{std::move(chain_), report_, Lsn()};
  }
  files_.set_journal(*journal_);
  const auto remains = look_behind_end();
  if (!remains) return tl::unexpected(remains.error());
  status = judge(*remains);
  if (status) status = settle(*remains);
  if (!status) return tl::unexpected(status.error());
  report_.segments = chain_.size();
  report_.cut_records = remains->records;
  report_.cut_bytes = remains->bytes;
  return RecoveredChain{std::move(chain_), report_, durable_};
}

}  // namespace

tl::expected<RecoveredChain, Error> recover_chain(SegmentFiles& files,
                                                  const ReplayCallback& replay) {
  return Recovery(files, replay).run();
}

}  // namespace taskpipe::broker
