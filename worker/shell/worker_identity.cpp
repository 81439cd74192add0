#include "worker/shell/worker_identity.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <exception>
#include <fstream>
#include <string>
#include <system_error>

#include "common/process/identity.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;

Error work_dir_error(ErrorCode code, std::string text) {
  return {code, std::move(text), "work-dir"};
}

Error storage_error(const char* what, const fs::path& path, int error) {
  return work_dir_error(ErrorCode::storage, std::string("cannot ") + what + " '" + path.string() +
                                                "': " + std::generic_category().message(error) +
                                                "; choose a writable --work-dir");
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  std::string text;
  std::getline(file, text);
  return text;
}

// The lock file says who holds it, for the error of the next one.
tl::expected<Descriptor, Error> lock(const fs::path& path) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return tl::unexpected(storage_error("open", path, errno));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return tl::unexpected(storage_error("lock", path, errno));
    const std::string holder = read_text(path);
    return tl::unexpected(work_dir_error(
        ErrorCode::invalid, "another worker" + (holder.empty() ? "" : " (pid " + holder + ")") +
                                " is using '" + path.parent_path().string() +
                                "'; stop it, or give this one its own --work-dir"));
  }
  const std::string pid = std::to_string(process::process_id()) + "\n";
  if (::ftruncate(file.get(), 0) != 0 ||
      ::pwrite(file.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return tl::unexpected(storage_error("write", path, errno));
  }
  return file;
}

// Durable before it is used: two starts with one number would look like one process.
tl::expected<std::uint64_t, Error> raise_incarnation(const fs::path& path) {
  const std::string text = read_text(path);
  std::uint64_t last = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), last);
  if (!text.empty() && (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())) {
    return tl::unexpected(work_dir_error(
        ErrorCode::invalid, "'" + path.string() + "' does not hold a number: remove '" +
                                path.parent_path().string() + "' or restore it"));
  }
  const std::uint64_t next = last + 1;
  const fs::path unfinished = path.string() + ".unfinished";
  const std::string line = std::to_string(next) + "\n";
  const Descriptor file(
      ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid() ||
      ::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
      ::fsync(file.get()) != 0 || ::rename(unfinished.c_str(), path.c_str()) != 0) {
    return tl::unexpected(storage_error("write", path, errno));
  }
  const Descriptor folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() || ::fsync(folder.get()) != 0) {
    return tl::unexpected(storage_error("sync", path.parent_path(), errno));
  }
  return next;
}

}  // namespace

tl::expected<WorkerIdentity, Error> WorkerIdentity::claim(const fs::path& work_dir) {
  std::error_code error;
  fs::create_directories(work_dir, error);
  if (error) return tl::unexpected(storage_error("create", work_dir, error.value()));
  WorkerIdentity identity;
  auto held = lock(work_dir / "lock");
  if (!held) return tl::unexpected(held.error());
  identity.lock_ = std::move(*held);
  try {
    identity.uuid_ = process::load_or_create_id<PeerUuid>(work_dir / "uuid");
  } catch (const std::exception& e) {
    return tl::unexpected(work_dir_error(ErrorCode::storage, e.what()));
  }
  auto incarnation = raise_incarnation(work_dir / "incarnation");
  if (!incarnation) return tl::unexpected(incarnation.error());
  identity.incarnation_ = *incarnation;
  return identity;
}

}  // namespace taskpipe::worker
