#include "broker/journal/segment_recovery.hpp"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace taskpipe::broker {
namespace {

using Status = tl::expected<void, Error>;

tl::unexpected<Error> unwritable(const DiskFault& fault) {
  return tl::unexpected(
      Error{ErrorCode::storage,
            "the journal cannot be written: " + fault.text +
                (fault.is_full() ? "; free space there, or choose another data folder" : ""),
            "journal"});
}

class Recovery {
 public:
  Recovery(SegmentFiles& files, ReadChain read) : files_(files), read_(std::move(read)) {}

  tl::expected<RecoveredChain, Error> run();

 private:
  Status settle();
  Status rewrite_unproven(Segment& segment);
  Status zero_tail(Segment& segment);

  SegmentFiles& files_;
  ReadChain read_;
  std::vector<std::byte> bytes_;  // of the segment that is rewritten
};

// Newest first, so that an interrupted start leaves no gap. What follows the chain is an empty
// segment that had been prepared, or belongs to the torn tail; either gets a new salt this way.
Status Recovery::settle() {
  const auto& found = files_.folder().segments();
  for (std::size_t i = found.size(); i-- > 0 && found[i] > read_.segments.back().generation;) {
    auto file = files_.open_segment(found[i]);
    if (!file) return tl::unexpected(unreadable(file.error()));
    const auto size = (*file)->size();
    if (!size) return tl::unexpected(unreadable(size.error()));
    file->reset();
    if (auto done = files_.recycle(found[i], *size); !done) return unwritable(done.error());
  }
  for (Segment& segment : read_.segments) {
    const bool last = segment.generation == read_.segments.back().generation;
    if (!last && segment.last <= read_.durable) continue;
    auto file = files_.open_segment(segment.generation);
    if (!file) return tl::unexpected(unreadable(file.error()));
    segment.file = std::move(*file);
    if (auto rewritten = rewrite_unproven(segment); !rewritten) return rewritten;
    if (last && read_.tail_in_last) {
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
  if (segment.last <= read_.durable) return {};
  if (auto read = read_segment(files_.folder(), segment.generation, bytes_); !read) return read;
  const auto all = std::span<const std::byte>(bytes_).first(segment.end);
  std::uint64_t from = kSegmentHeaderBytes;
  while (from < segment.end) {
    const auto header = recognise_batch(all.subspan(from), segment.checksum_seed);
    if (!header) {
      return tl::unexpected(damaged(files_.folder().path_of(segment.generation) + " at offset " +
                                    std::to_string(from) + " changed while it was read"));
    }
    if (header->records != 0 && header->last() > read_.durable) break;
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
  if (read_.segments.empty()) {
    files_.set_journal(files_.draw_journal_id());
    auto first = files_.make_segment(kFirstGeneration, Lsn(), 0);
    if (!first) return unwritable(first.error());
    read_.segments.push_back(std::move(*first));
  } else {
    files_.set_journal(*read_.journal);
    if (auto settled = settle(); !settled) return tl::unexpected(settled.error());
  }
  return RecoveredChain{std::move(read_.segments), read_.report, read_.durable};
}

}  // namespace

tl::expected<RecoveredChain, Error> recover_chain(SegmentFiles& files,
                                                  const ReplayCallback& replay) {
  auto read = read_chain(files.folder(), replay);
  if (!read) return tl::unexpected(std::move(read.error()));
  return Recovery(files, std::move(*read)).run();
}

}  // namespace taskpipe::broker
