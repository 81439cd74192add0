#include "broker/store/blob_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "common/model/task.hpp"
#include "common/process/file.hpp"

namespace taskpipe::broker {
namespace {

namespace fs = std::filesystem;

void list_folder(const std::string& folder, std::vector<FoundBlob>& out) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!is_sha256_hex(name)) continue;
    struct stat status {};
    if (::lstat(it->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const std::int64_t ms =
        std::int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1'000'000;
    out.push_back({name, static_cast<std::uint64_t>(status.st_size), WallTime{ms}});
  }
}

}  // namespace

tl::expected<void, Error> BlobFolder::make() const {
  std::error_code error;
  fs::create_directories(partial_folder(), error);
  if (!error) return {};
  return tl::unexpected(Error{ErrorCode::storage,
                              "cannot make '" + partial_folder() + "': " + error.message(),
                              "data-dir"});
}

std::vector<FoundBlob> BlobFolder::blobs() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::vector<FoundBlob> found;
  for (const char a : kDigits) {
    for (const char b : kDigits) list_folder(root_ + "/" + a + b, found);
  }
  return found;
}

std::vector<FoundBlob> BlobFolder::partials() const {
  std::vector<FoundBlob> found;
  list_folder(partial_folder(), found);
  return found;
}

int sync_folder(const std::string& path) {
  const auto folder = process::File::open(path, O_RDONLY | O_DIRECTORY);
  if (!folder) return folder.error();
  return ::fsync(folder->fd()) == 0 ? 0 : errno;
}

}  // namespace taskpipe::broker
