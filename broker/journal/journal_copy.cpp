#include "broker/journal/journal_copy.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace taskpipe::broker {
namespace {

using Status = tl::expected<void, Error>;

// A torn read or a recycled segment is a matter of microseconds, and the next attempt begins at a
// later place; whatever is still wrong after so many is wrong on the medium.
constexpr int kMostAttempts = 20;

Error not_written(const DiskFault& fault) {
  return Error{ErrorCode::storage, "the copy cannot be written: " + fault.text, "backup"};
}

class JournalCopy {
 public:
  JournalCopy(Disk& disk, const std::string& from, const std::string& to)
      : disk_(disk), from_(disk, from), to_(disk, to) {}

  tl::expected<RecoveryReport, Error> run(const MomentCallback& at_moment);

 private:
  tl::expected<ReadChain, Error> attempt(const MomentCallback& at_moment);
  Status write(const Segment& segment, std::span<const std::byte> bytes);
  DiskResult<> write_file(const Segment& segment, std::span<const std::byte> bytes);
  DiskResult<> sync(const ReadChain& chain);
  Status clear();
  // Whether what went wrong may be due to the broker's writing at the same time.
  [[nodiscard]] bool may_pass(const Error& error) const {
    return !target_failed_ && (error.code == ErrorCode::storage || error.code == ErrorCode::busy);
  }
  // Segments are given up oldest first, and renamed before anything in them changes: while the
  // first one still has its name, none of them was touched.
  [[nodiscard]] tl::expected<bool, Error> still_there(std::uint64_t generation);

  Disk& disk_;
  SegmentFolder from_;
  SegmentFolder to_;
  bool target_failed_ = false;
};

DiskResult<> JournalCopy::write_file(const Segment& segment, std::span<const std::byte> bytes) {
  auto file = disk_.open(to_.path_of(segment.generation), OpenMode::create_new);
  if (!file) return tl::unexpected(file.error());
  if (auto done = (*file)->allocate(segment.file_bytes); !done) return done;
  const std::size_t whole = static_cast<std::size_t>(segment.end);
  if (auto done = (*file)->write_at(0, bytes.first(whole)); !done) return done;
  // Behind the chain there may be batches that overtook others while they were read.
  static constexpr std::size_t kStepBytes = 1U << 20U;
  const std::vector<std::byte> zeros(std::min(kStepBytes, bytes.size() - whole));
  for (std::size_t at = whole; at < bytes.size(); at += zeros.size()) {
    const auto step = std::span(zeros).first(std::min(zeros.size(), bytes.size() - at));
    if (auto done = (*file)->write_at(at, step); !done) return done;
  }
  return {};
}

// Only now, so that an attempt is short.
DiskResult<> JournalCopy::sync(const ReadChain& chain) {
  for (const Segment& segment : chain.segments) {
    auto file = to_.open(segment.generation, OpenMode::existing);
    if (!file) return tl::unexpected(file.error());
    if (auto done = (*file)->sync_data(); !done) return done;
  }
  return disk_.sync_folder(to_.path());
}

Status JournalCopy::write(const Segment& segment, std::span<const std::byte> bytes) {
  if (auto done = write_file(segment, bytes); !done) {
    target_failed_ = true;
    return tl::unexpected(not_written(done.error()));
  }
  return {};
}

Status JournalCopy::clear() {
  if (auto made = disk_.make_folder(to_.path()); !made) {
    return tl::unexpected(not_written(made.error()));
  }
  const auto files = to_.look();
  if (!files) return tl::unexpected(not_written(files.error()));
  for (const FileName& name : *files) {
    if (auto done = disk_.remove(to_.path_of(name)); !done) {
      return tl::unexpected(not_written(done.error()));
    }
  }
  return {};
}

tl::expected<bool, Error> JournalCopy::still_there(std::uint64_t generation) {
  if (auto looked = from_.look(); !looked) return tl::unexpected(unreadable(looked.error()));
  return !from_.segments().empty() && from_.segments().front() <= generation;
}

tl::expected<ReadChain, Error> JournalCopy::attempt(const MomentCallback& at_moment) {
  if (auto looked = from_.look(); !looked) return tl::unexpected(unreadable(looked.error()));
  if (from_.segments().empty()) {
    return tl::unexpected(
        Error{ErrorCode::invalid, from_.path() + " holds no journal yet", "data-dir"});
  }
  const std::uint64_t oldest = from_.segments().front();
  const Lsn needed = at_moment();
  auto chain = read_chain(
      from_, [](Lsn, Record&&) {},
      [this](const Segment& segment, std::span<const std::byte> bytes) {
        return write(segment, bytes);
      });
  if (!chain) return tl::unexpected(std::move(chain.error()));
  const auto intact = still_there(oldest);
  if (!intact) return tl::unexpected(intact.error());
  if (!*intact || chain->report.last < needed) {
    return tl::unexpected(Error{ErrorCode::busy,
                                "the broker recycles its journal faster than it can be copied; "
                                "try again when it has less to do",
                                "backup"});
  }
  return chain;
}

tl::expected<RecoveryReport, Error> JournalCopy::run(const MomentCallback& at_moment) {
  tl::expected<ReadChain, Error> copied;
  for (int i = 0; i < kMostAttempts; ++i) {
    if (auto cleared = clear(); !cleared) return tl::unexpected(std::move(cleared.error()));
    copied = attempt(at_moment);
    if (copied || !may_pass(copied.error())) break;
  }
  if (!copied) return tl::unexpected(std::move(copied.error()));
  if (auto done = sync(*copied); !done) return tl::unexpected(not_written(done.error()));
  RecoveryReport report = copied->report;
  report.cut_records = 0;  // they are not in the copy
  report.cut_bytes = 0;
  return report;
}

}  // namespace

tl::expected<RecoveryReport, Error> copy_journal(Disk& disk, const std::string& from,
                                                 const std::string& to,
                                                 const MomentCallback& at_moment) {
  return JournalCopy(disk, from, to).run(at_moment);
}

}  // namespace taskpipe::broker
