#include "broker/journal/segment_folder.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace taskpipe::broker {

SegmentFolder::SegmentFolder(Disk& disk, const std::string& data_folder)
    : disk_(disk), path_(data_folder + "/journal") {}

std::string SegmentFolder::lock_path() const { return path_ + "/lock"; }

std::string SegmentFolder::path_of(const FileName& name) const {
  return path_ + "/" + to_text(name);
}

std::string SegmentFolder::path_of(std::uint64_t generation) const {
  return path_of(FileName{FileKind::segment, generation});
}

DiskResult<std::vector<FileName>> SegmentFolder::look() {
  const auto names = disk_.list(path_);
  if (!names) return tl::unexpected(names.error());
  std::vector<FileName> files;
  segments_.clear();
  for (const std::string& text : *names) {
    const auto name = parse_file_name(text);
    if (!name) continue;  // the lock, or somebody's notes
    files.push_back(*name);
    if (name->kind == FileKind::segment) segments_.push_back(name->number);
  }
  std::sort(segments_.begin(), segments_.end());
  return files;
}

DiskResult<std::unique_ptr<DiskFile>> SegmentFolder::open(std::uint64_t generation,
                                                          OpenMode mode) const {
  return disk_.open(path_of(generation), mode);
}

tl::expected<std::unique_ptr<DiskLock>, Error> SegmentFolder::lock_for_reading() const {
  auto lock = disk_.lock_existing(lock_path());
  if (lock) return std::move(*lock);
  if (lock.error().code == ENOENT) return std::unique_ptr<DiskLock>();
  if (lock.error().code == EWOULDBLOCK) return tl::unexpected(held_by(lock.error().text));
  return tl::unexpected(Error{ErrorCode::storage, lock.error().text, "folder"});
}

Error SegmentFolder::held_by(const std::string& pid) const {
  const std::string holder = pid.empty() ? "pid unknown" : "pid " + pid;
  return Error{ErrorCode::storage,
               "the journal folder " + path_ + " is held by another broker (" + holder +
                   "); stop it, or choose another data folder",
               "folder"};
}

}  // namespace taskpipe::broker
