#include "common/bulk/download.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>
#include <vector>

#include "common/model/limits.hpp"

namespace taskpipe::bulk {
namespace {

Error disk_error(const std::string& what, const std::string& path, int error) {
  return {ErrorCode::storage,
          "cannot " + what + " '" + path + "': " + std::generic_category().message(error) +
              (error == ENOSPC ? "; free some space" : ""),
          "path"};
}

}  // namespace

tl::expected<void, Error> Download::prepare() {
  auto opened = process::File::open(part_path(), O_RDWR | O_CREAT | O_NOFOLLOW);
  if (!opened) return tl::unexpected(disk_error("write", part_path(), opened.error()));
  part_ = std::move(*opened);
  if (::flock(part_.fd(), LOCK_EX | LOCK_NB) != 0) {
    return tl::unexpected(Error{
        ErrorCode::busy, "'" + part_path() + "' is being written by another download", "path"});
  }
  return take_up();
}

tl::expected<void, Error> Download::take_up() {
  const auto size = part_.size();
  if (!size) return tl::unexpected(disk_error("read", part_path(), size.error()));
  if (*size > file_.size_bytes) {
    if (::ftruncate(part_.fd(), 0) != 0) {
      return tl::unexpected(disk_error("write", part_path(), errno));
    }
    return {};
  }
  std::vector<std::byte> buffer(limits::kBulkChunkBytes);
  while (written_ < *size) {
    const auto got = part_.read_at(written_, buffer);
    if (!got) return tl::unexpected(disk_error("read", part_path(), got.error()));
    if (*got == 0) break;
    hash_.update(std::span(buffer).first(*got));
    written_ += *got;
  }
  resumed_ = written_ > 0;
  return {};
}

Get Download::begin() {
  credit_ = written_ + limits::kBulkWindowBytes;
  return Get{file_.sha256, written_, credit_};
}

tl::expected<std::optional<GetCredit>, Error> Download::on_data(const GetData& data) {
  if (data.offset != written_) return std::nullopt;  // of an earlier connection
  const auto bytes = data.data.bytes();
  if (data.size_bytes != file_.size_bytes || bytes.size() > file_.size_bytes - written_) {
    return tl::unexpected(Error{ErrorCode::invalid,
                                "the store has " + std::to_string(data.size_bytes) +
                                    " bytes under this hash, not " +
                                    std::to_string(file_.size_bytes),
                                "size_bytes"});
  }
  if (const int error = part_.write_at(written_, bytes)) {
    return tl::unexpected(disk_error("write", part_path(), error));
  }
  hash_.update(bytes);
  written_ += bytes.size();
  if (complete() || credit_ - written_ > limits::kBulkWindowBytes / 2) return std::nullopt;
  credit_ = written_ + limits::kBulkWindowBytes;
  return GetCredit{credit_};
}

tl::expected<void, Error> Download::finish() {
  if (hash_.finish_hex() != file_.sha256) {
    written_ = 0;
    [[maybe_unused]] const int ignored = ::ftruncate(part_.fd(), 0);
    if (!resumed_) ::unlink(part_path().c_str());
    return tl::unexpected(Error{
        ErrorCode::invalid, "what arrived for '" + file_.path + "' has another SHA-256", "sha256"});
  }
  if (file_.executable) ::fchmod(part_.fd(), 0755);
  if (std::rename(part_path().c_str(), file_.path.c_str()) != 0) {
    return tl::unexpected(disk_error("write", file_.path, errno));
  }
  part_ = process::File();
  return {};
}

bool Download::may_start_over() {
  written_ = 0;
  return std::exchange(resumed_, false);
}

}  // namespace taskpipe::bulk
