#include "broker/journal/segment_files.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <utility>

namespace taskpipe::broker {
namespace {

// Active, next and reserve: fewer cannot keep the promise about results and cancels.
constexpr std::uint64_t kMinSegments = 2 + limits::kReserveSegments;

std::string parent_of(const std::string& path) {
  const std::size_t name_end = path.find_last_not_of('/');
  const std::size_t slash = path.rfind('/', name_end);
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Error unusable(const DiskFault& fault, const std::string& folder) {
  const char* remedy = fault.is_full()
                           ? "; free space there, or choose another data folder"
                           : "; give the broker's user write access, or choose another data folder";
  return Error{ErrorCode::storage,
               "the journal folder " + folder + " is not usable: " + fault.text + remedy, "folder"};
}

}  // namespace

std::optional<Error> check_options(const SegmentLogOptions& options) {
  if (options.folder.empty()) {
    return Error{ErrorCode::invalid, "the data folder is not set", "folder"};
  }
  if (options.segment_bytes < limits::kMinSegmentBytes ||
      options.segment_bytes > limits::kMaxSegmentBytes || options.segment_bytes % kPageBytes != 0) {
    return Error{ErrorCode::invalid,
                 "segment_bytes is " + std::to_string(options.segment_bytes) +
                     "; it must be a multiple of " + std::to_string(kPageBytes) + " from " +
                     std::to_string(limits::kMinSegmentBytes) + " to " +
                     std::to_string(limits::kMaxSegmentBytes),
                 "segment_bytes"};
  }
  if (options.max_bytes != 0 && options.max_bytes < (kMinSegments + 1) * options.segment_bytes) {
    return Error{ErrorCode::invalid,
                 "max_bytes is " + std::to_string(options.max_bytes) +
                     "; it must be 0 or at least " + std::to_string(kMinSegments + 1) +
                     " segments of " + std::to_string(options.segment_bytes) + " bytes",
                 "max_bytes"};
  }
  return std::nullopt;
}

SegmentFiles::SegmentFiles(Disk& disk, const SegmentLogOptions& options)
    : disk_(disk), options_(options), folder_(disk, options.folder), random_state_(options.seed) {}

tl::expected<std::unique_ptr<SegmentFiles>, Error> SegmentFiles::open(
    Disk& disk, const SegmentLogOptions& options) {
  if (auto error = check_options(options)) return tl::unexpected(std::move(*error));
  std::unique_ptr<SegmentFiles> files(new SegmentFiles(disk, options));
  const auto made = files->make_folders();
  if (!made) return tl::unexpected(unusable(made.error(), files->folder_.path()));
  auto lock = disk.lock(files->folder_.lock_path());
  if (!lock) {
    return tl::unexpected(lock.error().code == EWOULDBLOCK
                              ? files->folder_.held_by(lock.error().text)
                              : unusable(lock.error(), files->folder_.path()));
  }
  files->lock_ = std::move(*lock);
  const auto stock = files->take_stock();
  if (!stock) return tl::unexpected(unusable(stock.error(), files->folder_.path()));
  return files;
}

// A folder that was made a moment ago is forgotten with everything in it unless its parent is
// synced. The parent of the data folder may be closed to us; whoever made that folder knew.
DiskResult<> SegmentFiles::make_folders() {
  if (auto done = disk_.make_folder(options_.folder); !done) return done;
  if (auto done = disk_.make_folder(folder_.path()); !done) return done;
  [[maybe_unused]] const auto best_effort = disk_.sync_folder(parent_of(options_.folder));
  return disk_.sync_folder(options_.folder);
}

DiskResult<> SegmentFiles::take_stock() {
  // An earlier process may have ended between a rename and its sync.
  if (auto synced = disk_.sync_folder(folder_.path()); !synced) return synced;
  const auto names = folder_.look();
  if (!names) return tl::unexpected(names.error());
  for (const FileName& name : *names) {
    DiskResult<> done;
    switch (name.kind) {
      case FileKind::segment: {
        const auto file = open_segment(name.number);
        if (!file) return tl::unexpected(file.error());
        const auto size = (*file)->size();
        if (!size) return tl::unexpected(size.error());
        total_bytes_ += *size;
        break;
      }
      case FileKind::spare: done = keep_or_remove_spare(name.number); break;
      case FileKind::making: done = disk_.remove(folder_.path_of(name)); break;
    }
    if (!done) return done;
  }
  return refresh_space();
}

DiskResult<> SegmentFiles::keep_or_remove_spare(std::uint64_t number) {
  const FileName name{FileKind::spare, number};
  next_spare_ = std::max(next_spare_, number + 1);
  auto file = disk_.open(folder_.path_of(name), OpenMode::existing);
  if (!file) return tl::unexpected(file.error());
  const auto size = (*file)->size();
  if (!size) return tl::unexpected(size.error());
  if (*size != options_.segment_bytes || spares_.size() >= spare_limit()) {
    return disk_.remove(folder_.path_of(name));
  }
  spares_.push_back(number);
  total_bytes_ += *size;
  return {};
}

std::size_t SegmentFiles::spare_limit() const {
  return std::max(options_.max_spares, limits::kReserveSegments);
}

DiskResult<std::unique_ptr<DiskFile>> SegmentFiles::open_segment(std::uint64_t generation) {
  return folder_.open(generation, OpenMode::existing);
}

// --- Segments -----------------------------------------------------------------------------------

DiskResult<Segment> SegmentFiles::make_segment(std::uint64_t generation, Lsn durable,
                                               std::uint64_t batch_bytes) {
  const std::uint64_t needed = round_up(kSegmentHeaderBytes + batch_bytes, kPageBytes);
  const std::uint64_t bytes = std::max(needed, options_.segment_bytes);
  const auto from = file_for(bytes);
  if (!from) return tl::unexpected(from.error());
  auto file = disk_.open(folder_.path_of(*from), OpenMode::existing);
  if (!file) return tl::unexpected(file.error());

  const SegmentHeader header{journal_, generation, draw(), bytes, durable};
  const SegmentHeaderPage page = encode_segment_header(header);
  if (auto done = (*file)->write_at(0, page); !done) return tl::unexpected(done.error());
  if (auto done = (*file)->sync_data(); !done) return tl::unexpected(done.error());
  if (auto done = move(*from, FileName{FileKind::segment, generation}); !done) {
    return tl::unexpected(done.error());
  }
  file = open_segment(generation);  // so that faults name it as it is called now
  if (!file) return tl::unexpected(file.error());
  Segment segment;
  segment.file = std::move(*file);
  segment.generation = generation;
  segment.checksum_seed = header.checksum_seed();
  segment.file_bytes = bytes;
  return segment;
}

// A file of that size, as a spare that is no longer counted as one.
DiskResult<FileName> SegmentFiles::file_for(std::uint64_t bytes) {
  if (bytes != options_.segment_bytes) {
    if (auto done = abandon_making(); !done) return tl::unexpected(done.error());
    if (auto done = begin_making(bytes); !done) return tl::unexpected(done.error());
    if (auto done = fill(bytes); !done) return tl::unexpected(done.error());
    if (auto done = finish_making(); !done) return tl::unexpected(done.error());
    const FileName name{FileKind::spare, spares_.back()};
    spares_.pop_back();
    return name;
  }
  if (auto done = ensure_spare(); !done) return tl::unexpected(done.error());
  const FileName name{FileKind::spare, spares_.front()};
  spares_.erase(spares_.begin());
  return name;
}

DiskResult<> SegmentFiles::ensure_spare() {
  if (!spares_.empty()) return {};
  if (!making_) {
    if (auto done = begin_making(options_.segment_bytes); !done) return done;
  }
  if (auto done = fill(options_.segment_bytes); !done) return done;
  return finish_making();
}

DiskResult<> SegmentFiles::recycle(std::uint64_t generation, std::uint64_t file_bytes) {
  const FileName name{FileKind::segment, generation};
  if (file_bytes != options_.segment_bytes || spares_.size() >= spare_limit()) {
    if (auto done = remove(name); !done) return done;
    total_bytes_ -= file_bytes;
    return refresh_space();
  }
  const std::uint64_t number = next_spare_++;
  if (auto done = move(name, FileName{FileKind::spare, number}); !done) return done;
  spares_.push_back(number);
  return {};
}

// --- Spares -------------------------------------------------------------------------------------

DiskResult<bool> SegmentFiles::make_spares(std::size_t wanted, std::uint64_t budget_bytes) {
  if (!making_) {
    if (spares_.size() >= wanted || creatable_bytes() < options_.segment_bytes) return false;
    if (auto done = begin_making(options_.segment_bytes); !done) {
      if (!done.error().is_full()) return tl::unexpected(done.error());
      blocked_ = true;
      return false;
    }
    return true;
  }
  if (auto done = fill(budget_bytes); !done) {
    if (!done.error().is_full()) return tl::unexpected(done.error());
    blocked_ = true;
    if (auto removed = abandon_making(); !removed) return tl::unexpected(removed.error());
    return false;
  }
  if (making_->filled < making_->bytes) return true;
  if (auto done = finish_making(); !done) return tl::unexpected(done.error());
  return spares_.size() < wanted;
}

DiskResult<> SegmentFiles::begin_making(std::uint64_t bytes) {
  assert(!making_);
  Making making;
  making.number = next_spare_++;
  making.bytes = bytes;
  const FileName name{FileKind::making, making.number};
  auto file = disk_.open(folder_.path_of(name), OpenMode::create_new);
  if (!file) return tl::unexpected(file.error());
  making.file = std::move(*file);
  if (auto done = making.file->allocate(bytes); !done) {
    making.file.reset();
    if (auto removed = disk_.remove(folder_.path_of(name)); !removed) return removed;
    return done;
  }
  making_ = std::move(making);
  total_bytes_ += bytes;
  return refresh_space();
}

// Zeros are written, not only reserved: the first write to reserved space changes metadata, which
// every fdatasync would then have to wait for.
DiskResult<> SegmentFiles::fill(std::uint64_t budget_bytes) {
  static constexpr std::array<std::byte, limits::kZeroFillStepBytes> kZeros{};
  const std::uint64_t from = making_->filled;
  const std::uint64_t to = std::min(making_->bytes, from + budget_bytes);
  while (making_->filled < to) {
    const auto step = std::min<std::uint64_t>(kZeros.size(), to - making_->filled);
    const auto zeros = std::span(kZeros).first(static_cast<std::size_t>(step));
    if (auto done = making_->file->write_at(making_->filled, zeros); !done) return done;
    making_->filled += step;
  }
  if (to > from) making_->file->start_writeback(from, to - from);
  return {};
}

DiskResult<> SegmentFiles::finish_making() {
  if (auto done = making_->file->sync_data(); !done) return done;
  const std::uint64_t number = making_->number;
  making_.reset();
  if (auto done = move({FileKind::making, number}, {FileKind::spare, number}); !done) return done;
  spares_.push_back(number);
  return {};
}

DiskResult<> SegmentFiles::abandon_making() {
  if (!making_) return {};
  const FileName name{FileKind::making, making_->number};
  total_bytes_ -= making_->bytes;
  making_.reset();
  return remove(name);
}

// --- Space --------------------------------------------------------------------------------------

// One segment's worth is left free on the file system: history and logs live there as well.
std::uint64_t SegmentFiles::creatable_bytes() const {
  if (blocked_) return 0;
  const std::uint64_t keep = options_.segment_bytes;
  std::uint64_t bytes = free_bytes_ > keep ? free_bytes_ - keep : 0;
  if (options_.max_bytes != 0) {
    const std::uint64_t allowed = options_.max_bytes;
    bytes = std::min(bytes, allowed > total_bytes_ ? allowed - total_bytes_ : 0);
  }
  return bytes / options_.segment_bytes * options_.segment_bytes;
}

DiskResult<> SegmentFiles::refresh_space() {
  const auto free = disk_.free_bytes(folder_.path());
  if (!free) return tl::unexpected(free.error());
  free_bytes_ = *free;
  blocked_ = false;
  return {};
}

// --- Names --------------------------------------------------------------------------------------

DiskResult<> SegmentFiles::move(const FileName& from, const FileName& to) {
  if (auto done = disk_.rename(folder_.path_of(from), folder_.path_of(to)); !done) return done;
  return disk_.sync_folder(folder_.path());
}

DiskResult<> SegmentFiles::remove(const FileName& name) {
  if (auto done = disk_.remove(folder_.path_of(name)); !done) return done;
  return disk_.sync_folder(folder_.path());
}

JournalId SegmentFiles::draw_journal_id() {
  const std::uint64_t high = draw();
  return JournalId(high, draw());
}

// SplitMix64 (Steele, Lea, Flood, 2014), seeded by the options.
std::uint64_t SegmentFiles::draw() {
  random_state_ += 0x9e3779b97f4a7c15ULL;
  std::uint64_t x = random_state_;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

}  // namespace taskpipe::broker
