#include "worker/shell/spool_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/model/limits.hpp"
#include "common/protocol/codec.hpp"
#include "common/protocol/value_codec.hpp"
#include "worker/spawner/descriptor.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "TPSPOOL1";
constexpr std::string_view kExtension = ".result";
constexpr std::string_view kUnfinished = ".unfinished";
constexpr std::size_t kMaxFrames = 2 + limits::kMaxBlobs;
constexpr std::size_t kHashBytes = 16;

Error storage_error(std::string_view what, const fs::path& path, int error) {
  return {ErrorCode::storage,
          "cannot " + std::string(what) + " '" + path.string() +
              "': " + std::generic_category().message(error) +
              "; free some space or choose another --work-dir",
          "work-dir"};
}

template <class Unsigned>
void append_number(std::string& out, Unsigned value) {
  for (std::size_t i = 0; i < sizeof value; ++i) out += static_cast<char>(value >> (8 * i));
}

template <class Unsigned>
std::optional<Unsigned> take_number(std::string_view& in) {
  if (in.size() < sizeof(Unsigned)) return std::nullopt;
  Unsigned value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    value = static_cast<Unsigned>(value | Unsigned{static_cast<std::uint8_t>(in[i])} << (8 * i));
  }
  in.remove_prefix(sizeof value);
  return value;
}

std::string hash_of(std::string_view bytes) {
  const ParamsHash hash = protocol::hash_params(Payload(bytes));
  std::string text;
  append_number(text, hash.high);
  append_number(text, hash.low);
  return text;
}

std::string pack(const protocol::EncodedMessage& message) {
  const std::string_view header(reinterpret_cast<const char*>(message.header.data()),
                                message.header.size());
  std::vector<std::string_view> frames{header, message.body};
  for (const Payload& blob : message.blobs) frames.push_back(blob.text());
  std::string file(kMagic);
  append_number(file, static_cast<std::uint32_t>(frames.size()));
  for (const auto& frame : frames) append_number(file, static_cast<std::uint32_t>(frame.size()));
  for (const auto& frame : frames) file += frame;
  return file + hash_of(file);
}

tl::expected<ResultItem, std::string> unpack(std::string_view file) {
  if (file.size() < kMagic.size() + kHashBytes || file.substr(0, kMagic.size()) != kMagic) {
    return tl::unexpected<std::string>("it is cut short, or no result at all");
  }
  const std::string_view hash = file.substr(file.size() - kHashBytes);
  file.remove_suffix(kHashBytes);
  if (hash_of(file) != hash) return tl::unexpected<std::string>("its checksum is wrong");
  file.remove_prefix(kMagic.size());
  const auto count = take_number<std::uint32_t>(file);
  if (!count || *count > kMaxFrames) return tl::unexpected<std::string>("its frame count is wrong");
  std::vector<std::size_t> sizes;
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto size = take_number<std::uint32_t>(file);
    if (!size) return tl::unexpected<std::string>("it is cut short");
    sizes.push_back(*size);
  }
  std::vector<protocol::FrameView> frames;
  for (const std::size_t size : sizes) {
    if (file.size() < size) return tl::unexpected<std::string>("it is cut short");
    frames.push_back(std::as_bytes(std::span(file.data(), size)));
    file.remove_prefix(size);
  }
  auto decoded = protocol::decode(frames);
  if (!decoded) return tl::unexpected(decoded.error().text);
  auto* result = std::get_if<Result>(&decoded->message);
  if (!file.empty() || result == nullptr || result->items.size() != 1) {
    return tl::unexpected<std::string>("it holds something else than one result");
  }
  return std::move(result->items.front());
}

// Retries what signals interrupt. False with errno set.
bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

tl::expected<SpoolFolder, Error> SpoolFolder::open(fs::path folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return tl::unexpected(storage_error("create", folder, error.value()));
  return SpoolFolder(std::move(folder));
}

fs::path SpoolFolder::file_of(const AttemptKey& attempt) const {
  return folder_ / (attempt.task.to_string() + "-" + std::to_string(attempt.epoch.value()) + "-" +
                    std::to_string(attempt.attempt.value()) + std::string(kExtension));
}

tl::expected<SpoolFolder::Loaded, Error> SpoolFolder::load() {
  std::vector<fs::path> files;
  std::error_code error;
  spares_.clear();
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == kExtension) files.push_back(it->path());
    if (it->path().extension() == kUnfinished) ::unlink(it->path().c_str());
  }
  if (error) return tl::unexpected(storage_error("read", folder_, error.value()));
  std::sort(files.begin(), files.end());
  Loaded loaded;
  for (const fs::path& path : files) {
    std::ifstream stream(path, std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(stream), {}};
    auto result = stream.bad() || !stream.is_open()
                      ? tl::expected<ResultItem, std::string>(
                            tl::unexpected<std::string>("it cannot be read"))
                      : unpack(content);
    if (result && file_of(result->attempt) != path) {
      result =
          tl::unexpected<std::string>("it holds the result of another attempt than its name says");
    }
    if (result) {
      loaded.results.push_back(std::move(*result));
      continue;
    }
    const fs::path aside = path.string() + ".corrupt";
    fs::rename(path, aside, error);
    loaded.warnings.push_back("set aside the spooled result '" + path.string() +
                              "' (now .corrupt): " + result.error() +
                              "; its task runs again, unless the broker has its result");
  }
  if (loaded.results.empty()) return loaded;
  // They may be there in memory alone: the worker before has ended as it wrote them.
  std::vector<AttemptKey> keys;
  for (const ResultItem& result : loaded.results) keys.push_back(result.attempt);
  if (auto synced = sync(keys); !synced) loaded.warnings.push_back(synced.error().text);
  return loaded;
}

std::pair<Descriptor, fs::path> SpoolFolder::open_unfinished(const fs::path& final_name) {
  if (!spares_.empty()) {
    fs::path spare = std::move(spares_.back());
    spares_.pop_back();
    Descriptor file(::open(spare.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
    if (file.valid()) return {std::move(file), std::move(spare)};
  }
  fs::path name = final_name.string() + std::string(kUnfinished);
  Descriptor file(
      ::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  return {std::move(file), std::move(name)};
}

tl::expected<void, Error> SpoolFolder::write(const ResultItem& result) {
  auto encoded = protocol::encode(Result{{result}}, Correlation{}, SessionId{1});
  if (!encoded) return tl::unexpected(encoded.error());
  const fs::path path = file_of(result.attempt);
  const auto [file, unfinished] = open_unfinished(path);
  if (!file.valid()) return tl::unexpected(storage_error("create", unfinished, errno));
  const std::string content = pack(*encoded);
  if (!write_all(file.get(), content) ||
      ::ftruncate(file.get(), static_cast<off_t>(content.size())) != 0 ||
      ::rename(unfinished.c_str(), path.c_str()) != 0) {
    const int why = errno;
    ::unlink(unfinished.c_str());
    return tl::unexpected(storage_error("write", path, why));
  }
  return {};
}

tl::expected<void, Error> SpoolFolder::sync(std::span<const AttemptKey> attempts) {
  tl::expected<void, Error> done;  // the first failure; the others are synced all the same
  for (const AttemptKey& attempt : attempts) {
    const fs::path path = file_of(attempt);
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    const bool synced = file.valid() && ::fdatasync(file.get()) == 0;
    if (!synced && done) done = tl::unexpected(storage_error("sync", path, errno));
  }
  const Descriptor folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const bool synced = folder.valid() && ::fsync(folder.get()) == 0;
  if (!synced && done) done = tl::unexpected(storage_error("sync", folder_, errno));
  return done;
}

void SpoolFolder::remove(const AttemptKey& attempt) {
  const fs::path path = file_of(attempt);
  struct stat status {};
  if (spares_.size() >= kMaxSpareSpoolFiles || ::lstat(path.c_str(), &status) != 0 ||
      !S_ISREG(status.st_mode) ||
      static_cast<std::uint64_t>(status.st_size) > kMaxSpareSpoolFileBytes) {
    ::unlink(path.c_str());
    return;
  }
  fs::path spare = folder_ / ("spare-" + std::to_string(next_spare_++) + std::string(kUnfinished));
  if (::rename(path.c_str(), spare.c_str()) == 0) {
    spares_.push_back(std::move(spare));
  } else {
    ::unlink(path.c_str());
  }
}

}  // namespace taskpipe::worker
