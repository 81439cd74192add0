#include "worker/exec/output_stream.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::worker {

OutputStream::OutputStream(LogStream which, Descriptor pipe, std::string file,
                           std::uint64_t max_file_bytes, process::FileOwner owner)
    : which_(which),
      pipe_(std::move(pipe)),
      file_name_(std::move(file)),
      max_file_bytes_(max_file_bytes),
      owner_(owner),
      tail_(limits::kTailBytes) {}

std::size_t OutputStream::read_pipe(char* scratch, std::size_t scratch_bytes) {
  if (!pipe_.valid()) return 0;
  const ssize_t got = ::read(pipe_.get(), scratch, scratch_bytes);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (got <= 0) {
    pipe_.reset();
    return 0;
  }
  keep({scratch, static_cast<std::size_t>(got)});
  return static_cast<std::size_t>(got);
}

void OutputStream::keep(std::string_view bytes) {
  total_bytes_ += bytes.size();
  tail_.append(bytes);
  write_file(bytes);
  if (bytes.size() >= limits::kMaxLogChunkBytes) {
    live_.assign(bytes.substr(bytes.size() - limits::kMaxLogChunkBytes));
    return;
  }
  const std::size_t wanted = live_.size() + bytes.size();
  if (wanted > limits::kMaxLogChunkBytes) live_.erase(0, wanted - limits::kMaxLogChunkBytes);
  live_.append(bytes);
}

void OutputStream::write_file(std::string_view bytes) {
  if (file_full_ || file_error_ != 0) return;
  if (!file_.valid()) {
    // O_NOFOLLOW | O_EXCL: the tool may already have put something else in its place.
    file_.reset(
        ::open(file_name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!file_.valid() || (owner_ && ::fchown(file_.get(), *owner_, static_cast<gid_t>(-1)) != 0)) {
      file_error_ = errno;
      return;
    }
  }
  std::string_view rest = bytes.substr(0, max_file_bytes_ - file_bytes_);
  file_full_ = rest.size() < bytes.size();
  while (!rest.empty()) {
    const ssize_t written = ::write(file_.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      file_error_ = errno;
      return;
    }
    file_bytes_ += static_cast<std::uint64_t>(written);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::optional<MonotonicTime> OutputStream::due() const {
  return live_.empty() ? std::nullopt : std::optional(not_before_);
}

std::optional<OutputStream::Chunk> OutputStream::take(MonotonicTime now) {
  if (live_.empty()) return std::nullopt;
  not_before_ = now + Millis(limits::kOutputIntervalMs);
  Chunk chunk{total_bytes_ - live_.size(), std::exchange(live_, {})};
  return chunk;
}

}  // namespace taskpipe::worker
