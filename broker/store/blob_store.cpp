#include "broker/store/blob_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <unordered_set>

namespace taskpipe::broker {
namespace {

constexpr std::size_t kMaxOpenForReading = 64;
constexpr std::int64_t kTouchMs = 60'000;  // the time of a use is written no more often than this

Error storage(const std::string& what, int error) {
  return {ErrorCode::storage,
          "the store cannot " + what + ": " + std::generic_category().message(error),
          {},
          std::nullopt};
}

Error unknown_blob() {
  return {ErrorCode::invalid,
          "the store has no file with this hash (any more): it was never uploaded, its retention "
          "is over "
          "(--artifact-retention), or it made room for later ones (--artifact-quota)",
          "sha256"};
}

void write_time_of_use(const std::string& path, WallTime used) {
  const timespec at{used.unix_ms / 1000, (used.unix_ms % 1000) * 1'000'000};
  const timespec times[2] = {at, at};
  [[maybe_unused]] const int ignored = ::utimensat(AT_FDCWD, path.c_str(), times, 0);
}

std::uint64_t free_bytes(const std::string& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) return 0;
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

}  // namespace

BlobStore::BlobStore(BlobStoreOptions options, WallTime now)
    : options_(std::move(options)), folder_(options_.data_dir), now_(now) {
  if (const auto made = folder_.make(); !made) read_only_ = made.error().text;
  if (read_only_.empty() && ::access(folder_.partial_folder().c_str(), W_OK) != 0) {
    read_only_ = "'" + folder_.partial_folder() + "' cannot be written";
  }
  for (const FoundBlob& found : folder_.blobs()) {
    add_blob(found.sha256, found.size_bytes, found.used);
  }
  for (const FoundBlob& found : folder_.partials()) {
    idle_[found.sha256] = {found.size_bytes, found.used};
    used_bytes_ += found.size_bytes;
  }
  if (options_.quota_bytes == 0) {
    options_.quota_bytes = (free_bytes(folder_.root()) + used_bytes_) / limits::kArtifactQuotaShare;
  }
}

BlobStoreUsage BlobStore::usage() const {
  return {blobs_.size(), used_bytes_, options_.quota_bytes};
}

void BlobStore::add_blob(const std::string& sha256, std::uint64_t size_bytes, WallTime used) {
  blobs_[sha256] = {size_bytes, used};
  by_use_.emplace(used, sha256);
  used_bytes_ += size_bytes;
}

void BlobStore::touch(const std::string& sha256, Blob& blob) {
  if (now_.unix_ms - blob.used.unix_ms < kTouchMs) return;
  by_use_.erase({blob.used, sha256});
  blob.used = now_;
  by_use_.emplace(now_, sha256);
  // One that cannot be written down is forgotten with the process.
  write_time_of_use(folder_.blob_path(sha256), now_);
}

void BlobStore::remove_blob(const std::string& sha256) {
  const auto blob = blobs_.find(sha256);
  if (blob == blobs_.end()) return;
  if (::unlink(folder_.blob_path(sha256).c_str()) != 0 && errno != ENOENT) return;
  reading_.erase(sha256);
  by_use_.erase({blob->second.used, sha256});
  used_bytes_ -= blob->second.size_bytes;
  blobs_.erase(blob);
}

// --- Uploads ------------------------------------------------------------------------------------

std::uint64_t BlobStore::idle_bytes_of(const std::string& sha256) const {
  const auto idle = idle_.find(sha256);
  return idle == idle_.end() ? 0 : idle->second.size_bytes;
}

bool BlobStore::fits(std::uint64_t more_bytes) const {
  if (more_bytes > options_.quota_bytes || used_bytes_ > options_.quota_bytes - more_bytes) {
    return false;
  }
  // What is reserved and not written yet counts as taken.
  std::uint64_t unwritten = 0;
  for (const auto& [sha256, upload] : uploads_) unwritten += upload.size_bytes - upload.written;
  return free_bytes(folder_.root()) >= more_bytes + unwritten + options_.headroom_bytes;
}

tl::expected<BlobAccess::Begun, Error> BlobStore::begin_put(const std::string& sha256,
                                                            std::uint64_t size_bytes,
                                                            bool last_try) {
  if (const auto blob = blobs_.find(sha256); blob != blobs_.end()) {
    if (blob->second.size_bytes != size_bytes) {
      return tl::unexpected(
          Error{ErrorCode::invalid, "the file with this hash has another size", "size_bytes"});
    }
    touch(sha256, blob->second);
    return Begun{Begin::have, size_bytes};
  }
  if (!read_only_.empty()) {
    return tl::unexpected(Error{ErrorCode::storage, "the store takes nothing: " + read_only_, {}});
  }
  if (const auto open = uploads_.find(sha256); open != uploads_.end()) {
    // Its first bringer has gone, or it has just been verified.
    Upload& upload = open->second;
    if (upload.size_bytes != size_bytes) {
      return tl::unexpected(
          Error{ErrorCode::invalid, "the upload of this hash has another size", "size_bytes"});
    }
    const bool verified = upload.hashed == upload.written;
    return Begun{verified ? Begin::receive : Begin::verifying, upload.written};
  }
  const std::uint64_t idle = idle_bytes_of(sha256);
  const std::uint64_t more = size_bytes > idle ? size_bytes - idle : 0;
  if (!fits(more)) {
    room_wanted_ = std::max(room_wanted_, more);
    if (!last_try && more <= options_.quota_bytes) return Begun{Begin::no_room, 0};
    return tl::unexpected(
        Error{ErrorCode::storage,
              "the broker's store has no room for " + std::to_string(size_bytes) +
                  " bytes: " + std::to_string(used_bytes_) + " of " +
                  std::to_string(options_.quota_bytes) + " are in use (--artifact-quota), " +
                  std::to_string(free_bytes(folder_.root())) + " are free on its disk",
              "size_bytes"});
  }
  return open_upload(sha256, size_bytes);
}

tl::expected<BlobAccess::Begun, Error> BlobStore::open_upload(const std::string& sha256,
                                                              std::uint64_t size_bytes) {
  auto file = process::File::open(folder_.partial_path(sha256), O_RDWR | O_CREAT | O_NOFOLLOW);
  if (!file) return tl::unexpected(storage("begin an upload", file.error()));
  Upload upload;
  upload.size_bytes = size_bytes;
  const auto there = file->size();
  upload.written = there.value_or(0);
  if (!there || upload.written > size_bytes) {
    upload.written = 0;
    if (::ftruncate(file->fd(), 0) != 0) return tl::unexpected(storage("begin an upload", errno));
  }
  upload.file = std::move(*file);
  upload.given_on = upload.written;
  used_bytes_ -= idle_bytes_of(sha256);
  idle_.erase(sha256);
  used_bytes_ += size_bytes;
  const std::uint64_t written = upload.written;
  uploads_.emplace(sha256, std::move(upload));
  if (written == 0) return Begun{Begin::receive, 0};
  verifying_.push_back(sha256);
  return Begun{Begin::verifying, written};
}

std::optional<std::string> BlobStore::verify_some() {
  while (!verifying_.empty()) {
    const auto found = uploads_.find(verifying_.front());
    if (found == uploads_.end()) {
      verifying_.erase(verifying_.begin());
      continue;
    }
    Upload& upload = found->second;
    std::vector<std::byte> buffer(limits::kBulkChunkBytes);
    const std::uint64_t stop = std::min(upload.written, upload.hashed + limits::kRehashSliceBytes);
    while (upload.hashed < stop) {
      const auto length = std::min<std::uint64_t>(buffer.size(), upload.written - upload.hashed);
      const auto got = upload.file.read_at(upload.hashed, std::span(buffer).first(length));
      if (!got || *got < length) {
        // What cannot be read is sent again.
        upload.hash = process::Sha256();
        upload.written = upload.hashed = upload.given_on = 0;
        [[maybe_unused]] const int ignored = ::ftruncate(upload.file.fd(), 0);
        break;
      }
      upload.hash.update(std::span(buffer).first(*got));
      upload.hashed += *got;
    }
    if (upload.hashed < upload.written) return std::nullopt;
    std::string done = found->first;
    verifying_.erase(verifying_.begin());
    return done;
  }
  return std::nullopt;
}

tl::expected<void, Error> BlobStore::append(const std::string& sha256,
                                            std::span<const std::byte> bytes) {
  Upload& upload = uploads_.at(sha256);
  if (const int error = upload.file.write_at(upload.written, bytes)) {
    // The room that it has taken helps others more.
    end_upload(sha256, false);
    return tl::unexpected(storage("write what is uploaded", error));
  }
  upload.hash.update(bytes);
  upload.written += bytes.size();
  upload.hashed += bytes.size();
  if (upload.written - upload.given_on >= limits::kBlobWritebackBytes) {
    // Begins to write, without waiting: the sync at the end then has little left to do, and the
    // journal's own syncs do not find gigabytes before them.
    ::sync_file_range(upload.file.fd(), static_cast<off64_t>(upload.given_on),
                      static_cast<off64_t>(upload.written - upload.given_on),
                      SYNC_FILE_RANGE_WRITE);
    upload.given_on = upload.written;
  }
  return {};
}

tl::expected<void, Error> BlobStore::complete(const std::string& sha256) {
  Upload& upload = uploads_.at(sha256);
  if (upload.completed) return {};
  if (upload.hash.finish_hex() != sha256) {
    end_upload(sha256, false);
    return tl::unexpected(
        Error{ErrorCode::invalid, "what was uploaded has another SHA-256", "sha256"});
  }
  upload.completed = true;
  completed_.push_back(sha256);
  return {};
}

void BlobStore::leave(const std::string& sha256) { end_upload(sha256, true); }

void BlobStore::end_upload(const std::string& sha256, bool keep) {
  const auto upload = uploads_.find(sha256);
  if (upload == uploads_.end() || (keep && upload->second.completed)) return;
  used_bytes_ -= upload->second.size_bytes;
  if (keep && upload->second.written > 0) {
    idle_[sha256] = {upload->second.written, now_};
    used_bytes_ += upload->second.written;
  } else {
    ::unlink(folder_.partial_path(sha256).c_str());
  }
  uploads_.erase(upload);
  std::erase(verifying_, sha256);
}

tl::expected<void, Error> BlobStore::seal(const std::string& sha256, Upload& upload) {
  write_time_of_use(folder_.partial_path(sha256), now_);
  if (::fsync(upload.file.fd()) != 0) return tl::unexpected(storage("sync a file", errno));
  if (::mkdir(folder_.shard_of(sha256).c_str(), 0755) == 0) {
    if (const int error = sync_folder(folder_.root())) {
      return tl::unexpected(storage("sync its folder", error));
    }
  } else if (errno != EEXIST) {
    return tl::unexpected(storage("make a folder", errno));
  }
  if (std::rename(folder_.partial_path(sha256).c_str(), folder_.blob_path(sha256).c_str()) != 0) {
    return tl::unexpected(storage("give a file its name", errno));
  }
  return {};
}

std::vector<BlobStore::Stored> BlobStore::commit() {
  std::vector<Stored> stored;
  std::unordered_set<std::string> folders;
  for (std::string& sha256 : completed_) {
    Upload& upload = uploads_.at(sha256);
    auto sealed = seal(sha256, upload);
    if (sealed) folders.insert(folder_.shard_of(sha256));
    stored.push_back({std::move(sha256), std::move(sealed)});
  }
  completed_.clear();
  int folder_error = 0;
  for (const auto& folder : folders) {
    if (const int error = sync_folder(folder)) folder_error = error;
  }
  for (Stored& one : stored) {
    const std::uint64_t size = uploads_.at(one.sha256).size_bytes;
    if (one.result && folder_error != 0) {
      one.result = tl::unexpected(storage("sync its folder", folder_error));
    }
    // Its room goes to the blob, or is free again.
    end_upload(one.sha256, false);
    if (one.result) add_blob(one.sha256, size, now_);
  }
  return stored;
}

// --- Reading ------------------------------------------------------------------------------------

tl::expected<std::uint64_t, Error> BlobStore::look_up(const std::string& sha256) {
  const auto blob = blobs_.find(sha256);
  if (blob == blobs_.end()) return tl::unexpected(unknown_blob());
  touch(sha256, blob->second);
  return blob->second.size_bytes;
}

tl::expected<Payload, Error> BlobStore::read(const std::string& sha256, std::uint64_t offset,
                                             std::size_t length) {
  auto open = reading_.find(sha256);
  if (open == reading_.end()) {
    auto file = process::File::open(folder_.blob_path(sha256), O_RDONLY | O_NOFOLLOW);
    if (!file) return tl::unexpected(unknown_blob());
    if (reading_.size() >= kMaxOpenForReading) reading_.clear();
    open = reading_.emplace(sha256, std::move(*file)).first;
  }
  std::string bytes(length, '\0');
  const auto got = open->second.read_at(offset, std::as_writable_bytes(std::span(bytes)));
  if (!got) return tl::unexpected(storage("read a file", got.error()));
  if (*got < length) {
    return tl::unexpected(Error{ErrorCode::storage,
                                "a file of the store is shorter than it was: stop the broker and "
                                "run taskpipe-broker --check",
                                {}});
  }
  return Payload(std::string_view(bytes));
}

// --- Room ---------------------------------------------------------------------------------------

std::vector<std::string> BlobStore::candidates(bool for_room, std::size_t most) const {
  const Millis::rep age =
      for_room ? options_.grace.count() : std::max(options_.grace, options_.retention).count();
  std::vector<std::string> found;
  for (const auto& [used, sha256] : by_use_) {
    if (now_.unix_ms - used.unix_ms < age || found.size() >= most) break;
    found.push_back(sha256);
  }
  return found;
}

void BlobStore::evict(const std::vector<std::string>& candidates,
                      const std::vector<std::string>& needed, bool for_room) {
  const std::unordered_set<std::string> keep(needed.begin(), needed.end());
  const std::uint64_t wanted = std::exchange(room_wanted_, 0);
  if (for_room) {
    // First what nobody has finished.
    while (!fits(wanted)) {
      const auto oldest = std::min_element(
          idle_.begin(), idle_.end(),
          [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
      if (oldest == idle_.end() ||
          now_.unix_ms - oldest->second.used.unix_ms < options_.grace.count()) {
        break;
      }
      ::unlink(folder_.partial_path(oldest->first).c_str());
      used_bytes_ -= oldest->second.size_bytes;
      idle_.erase(oldest);
    }
  }
  for (const auto& sha256 : candidates) {
    if (for_room && fits(wanted)) return;
    const auto blob = blobs_.find(sha256);
    if (blob == blobs_.end()) continue;
    if (keep.contains(sha256)) {
      touch(sha256, blob->second);
    } else if (now_.unix_ms - blob->second.used.unix_ms >= options_.grace.count()) {
      remove_blob(sha256);
    }
  }
}

void BlobStore::drop_old_partials() {
  for (auto it = idle_.begin(); it != idle_.end();) {
    if (now_.unix_ms - it->second.used.unix_ms < std::int64_t{limits::kMinPartialAgeMs}) {
      ++it;
      continue;
    }
    ::unlink(folder_.partial_path(it->first).c_str());
    used_bytes_ -= it->second.size_bytes;
    it = idle_.erase(it);
  }
}

}  // namespace taskpipe::broker
