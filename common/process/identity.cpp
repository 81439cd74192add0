#include "common/process/identity.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "common/process/random.hpp"

namespace taskpipe::process {
namespace {

using AnyId = UniqueId<struct detail::AnyTag>;

constexpr std::size_t kIdTextBytes = 2 * kUniqueIdBytes;
constexpr std::size_t kMaxIdFileBytes = kIdTextBytes + 2;  // a newline, and one byte too many

// An open descriptor.
class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view what, int problem) {
  throw std::runtime_error("cannot " + std::string(what) + " '" + path.string() +
                           "': " + std::strerror(problem));
}

// Nothing when the file does not exist.
std::optional<AnyId> load(const std::filesystem::path& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) {
    if (errno == ENOENT) return std::nullopt;
    fail(path, "read the identity file", errno);
  }
  std::array<char, kMaxIdFileBytes> buffer{};
  std::size_t size = 0;
  while (size < buffer.size()) {
    const ssize_t got = ::read(file.fd(), buffer.data() + size, buffer.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, "read the identity file", errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  std::string_view text(buffer.data(), size);
  if (text.ends_with('\n')) text.remove_suffix(1);
  const auto id = AnyId::parse(text);
  if (!id || id->is_nil()) {
    throw std::runtime_error("the identity file '" + path.string() +
                             "' does not hold 32 hex digits; restore it from a backup, or remove "
                             "it to get a new identity");
  }
  return id;
}

void write_all(int fd, std::string_view text, const std::filesystem::path& path) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail(path, "write the identity file", errno);
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

void sync_folder_of(const std::filesystem::path& path) {
  const auto parent = path.parent_path();
  const File folder(
      ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open() || ::fsync(folder.fd()) != 0) fail(parent, "sync the folder", errno);
}

// Whole and durable under its own name first, then linked to the final one. link() rather than
// rename(): it refuses an existing name, so the first of several processes wins.
void create(const std::filesystem::path& path) {
  const auto id = new_unique_id<AnyId>();
  const auto temporary = path.string() + "." + new_unique_id<AnyId>().to_string();
  {
    const File file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.is_open()) fail(path, "create the identity file", errno);
    try {
      write_all(file.fd(), id.to_string() + "\n", path);
      if (::fsync(file.fd()) != 0) fail(path, "sync the identity file", errno);
    } catch (...) {
      ::unlink(temporary.c_str());
      throw;
    }
  }
  const bool linked = ::link(temporary.c_str(), path.c_str()) == 0;
  const int problem = errno;
  ::unlink(temporary.c_str());
  if (!linked && problem != EEXIST) fail(path, "create the identity file", problem);
  sync_folder_of(path);
}

}  // namespace

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name.front() == '\0') return "localhost";
  return name.data();
}

std::string user_name() {
  const ::uid_t uid = ::geteuid();
  std::vector<char> buffer(1024);
  ::passwd entry{};
  ::passwd* found = nullptr;
  int problem = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  while (problem == ERANGE) {
    buffer.resize(2 * buffer.size());
    problem = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  }
  if (found == nullptr || found->pw_name == nullptr) return std::to_string(uid);
  return found->pw_name;
}

std::uint32_t process_id() { return static_cast<std::uint32_t>(::getpid()); }

std::uint64_t raise_open_file_limit() {
  ::rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const ::rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before;
}

namespace detail {

AnyId load_or_create_id(const std::filesystem::path& path) {
  if (const auto id = load(path)) return *id;
  create(path);
  if (const auto id = load(path)) return *id;
  throw std::runtime_error("the identity file '" + path.string() +
                           "' vanished while it was created; does something clean this folder?");
}

}  // namespace detail

}  // namespace taskpipe::process
