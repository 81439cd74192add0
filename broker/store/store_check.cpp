#include "broker/store/store_check.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>

#include "broker/store/blob_folder.hpp"
#include "common/process/file.hpp"
#include "common/process/sha256.hpp"

namespace taskpipe::broker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBytes = 1U << 20U;

// Empty when it is right.
std::string what_is_wrong_with(const std::string& path, const std::string& sha256) {
  const auto file = process::File::open(path, O_RDONLY);
  if (!file) return "cannot be read: " + std::generic_category().message(file.error());
  process::Sha256 hash;
  std::vector<std::byte> buffer(kReadBytes);
  for (std::uint64_t at = 0;;) {
    const auto got = file->read_at(at, buffer);
    if (!got) return "cannot be read: " + std::generic_category().message(got.error());
    hash.update(std::span(buffer).first(*got));
    at += *got;
    if (*got < buffer.size()) break;
  }
  return hash.finish_hex() == sha256 ? "" : "has another content than its name says";
}

}  // namespace

StoreCheck check_store(const std::string& data_dir, bool with_contents) {
  const BlobFolder folder(data_dir);
  StoreCheck check;
  for (const FoundBlob& blob : folder.blobs()) {
    ++check.files;
    check.bytes += blob.size_bytes;
    if (!with_contents) continue;
    const std::string path = folder.blob_path(blob.sha256);
    if (const std::string wrong = what_is_wrong_with(path, blob.sha256); !wrong.empty()) {
      check.damage.push_back("the file '" + path + "' of the store " + wrong +
                             "; delete it: it is uploaded again when somebody brings it");
    }
  }
  check.unfinished = folder.partials().size();
  return check;
}

tl::expected<void, Error> copy_store(const std::string& from, const std::string& to) {
  const BlobFolder source(from);
  const BlobFolder target(to);
  if (!fs::exists(source.root())) return {};
  if (auto made = target.make(); !made) return made;
  std::set<std::string> shards;
  for (const FoundBlob& blob : source.blobs()) {
    const std::string shard = target.shard_of(blob.sha256);
    std::error_code error;
    if (shards.insert(shard).second) fs::create_directories(shard, error);
    const std::string path = source.blob_path(blob.sha256);
    const std::string copy = target.blob_path(blob.sha256);
    fs::create_hard_link(path, copy, error);
    if (error == std::errc::no_such_file_or_directory) continue;
    if (error) {
      fs::copy_file(path, copy, error);
      const auto file = process::File::open(copy, O_RDONLY);
      if (!error && (!file || ::fsync(file->fd()) != 0)) error.assign(EIO, std::generic_category());
      if (error == std::errc::no_such_file_or_directory) continue;
    }
    if (error) {
      return tl::unexpected(
          Error{ErrorCode::storage, "cannot copy '" + path + "': " + error.message(), "backup"});
    }
  }
  for (const auto& shard : shards) {
    if (const int failed = sync_folder(shard)) {
      return tl::unexpected(Error{
          ErrorCode::storage,
          "cannot sync '" + shard + "': " + std::generic_category().message(failed), "backup"});
    }
  }
  return {};
}

}  // namespace taskpipe::broker
