#include "worker/shell/log_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/model/limits.hpp"
#include "worker/exec/attempt_directory.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;

// "<epoch>-<attempt>"; nothing for any other name.
std::optional<std::pair<std::uint64_t, std::uint32_t>> parse_leaf(std::string_view name) {
  std::pair<std::uint64_t, std::uint32_t> parsed;
  const char* end = name.data() + name.size();
  const auto epoch = std::from_chars(name.data(), end, parsed.first);
  if (epoch.ec != std::errc{} || epoch.ptr == end || *epoch.ptr != '-') return std::nullopt;
  const auto attempt = std::from_chars(epoch.ptr + 1, end, parsed.second);
  if (attempt.ec != std::errc{} || attempt.ptr != end) return std::nullopt;
  return parsed;
}

Error storage_error(const fs::path& path, int error) {
  return {ErrorCode::storage,
          "cannot read '" + path.string() + "': " + std::generic_category().message(error), ""};
}

}  // namespace

std::optional<AttemptFolder> newest_attempt_folder(const fs::path& attempts_root,
                                                   const TaskId& task) {
  const fs::path folder = attempts_root / task.to_string();
  std::optional<std::pair<std::uint64_t, std::uint32_t>> newest;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const auto leaf = parse_leaf(it->path().filename().string());
    if (leaf && (!newest || *newest < *leaf)) newest = leaf;
  }
  if (!newest) return std::nullopt;
  return AttemptFolder{
      folder / (std::to_string(newest->first) + "-" + std::to_string(newest->second)),
      Attempt(newest->second)};
}

std::variant<Chunk, Error> read_log(const fs::path& attempts_root, const Fetch& fetch, bool held,
                                    process::FileOwner owner) {
  Chunk chunk;
  chunk.task = fetch.task;
  chunk.stream = fetch.stream;
  chunk.offset = fetch.offset;
  chunk.attempt = fetch.attempt;
  const auto folder = newest_attempt_folder(attempts_root, fetch.task);
  if (!folder) {
    // One that has only just been started has not written anything yet.
    if (held) return chunk;
    return Error{ErrorCode::unknown_task,
                 "this worker keeps no output of the task: it ran elsewhere, or its folder was "
                 "removed after the time that folders are kept",
                 "task_id"};
  }
  if (held && folder->attempt < fetch.attempt) return chunk;  // likewise, after an earlier one
  if (folder->attempt > fetch.attempt && fetch.attempt != Attempt{}) chunk.offset = 0;
  chunk.attempt = folder->attempt;
  const std::string_view name = fetch.stream == LogStream::out ? kStdoutFile : kStderrFile;
  const fs::path path = folder->path / name;
  const auto file = process::open_beneath(folder->path.string(), name, owner);
  const auto opened_size = file ? file->size() : tl::unexpected(file.error());
  if (!opened_size) {
    if (opened_size.error() != ENOENT) return storage_error(path, opened_size.error());
    chunk.eof = !held;
    return chunk;
  }
  const std::uint64_t size = *opened_size;
  const std::uint64_t left = size > chunk.offset ? size - chunk.offset : 0;
  std::uint64_t wanted = std::min<std::uint64_t>(left, limits::kMaxLogChunkBytes);
  if (fetch.length != 0) wanted = std::min<std::uint64_t>(wanted, fetch.length);
  std::string bytes(wanted, '\0');
  const auto filled = file->read_at(chunk.offset, std::as_writable_bytes(std::span(bytes)));
  if (!filled) return storage_error(path, filled.error());
  bytes.resize(*filled);
  chunk.data = Payload(bytes);
  chunk.eof = !held && chunk.offset + *filled >= size;
  return chunk;
}

LogReader::LogReader(fs::path attempts_root, CommandMailbox& commands, process::FileOwner owner)
    : attempts_root_(std::move(attempts_root)),
      commands_(commands),
      owner_(owner),
      thread_([this] { work(); }) {}

LogReader::~LogReader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_one();
  thread_.join();
}

void LogReader::read(ReadLog request) {
  {
    const std::lock_guard lock(mutex_);
    if (requests_.size() < limits::kMaxForwardedFetches) {
      requests_.push_back(std::move(request));
      ready_.notify_one();
      return;
    }
  }
  Error busy{ErrorCode::busy, "too many reads of output are waiting", ""};
  busy.retry_ms = limits::kBusyRetryMs;
  commands_.post({command::LogRead{request.session, request.correlation, std::move(busy)}});
}

void LogReader::work() {
  for (;;) {
    ReadLog request;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return stopping_ || !requests_.empty(); });
      if (stopping_) return;
      request = std::move(requests_.front());
      requests_.pop_front();
    }
    commands_.post(
        {command::LogRead{request.session, request.correlation,
                          read_log(attempts_root_, request.fetch, request.held, owner_)}});
  }
}

}  // namespace taskpipe::worker
