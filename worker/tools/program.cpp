#include "worker/tools/program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::worker {
namespace {

constexpr int kStartLimitMs = 10'000;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (auto& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> variables_of(const Environment& environment) {
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
  return variables;
}

// Of a fresh fork: system calls only. Returns errno when there is no executing it.
int execute_as(const Credentials& user, char* const* argv, char* const* variables, int output) {
  ::setpgid(0, 0);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (input < 0 || ::dup2(input, STDIN_FILENO) < 0 || ::dup2(output, STDOUT_FILENO) < 0 ||
      ::dup2(output, STDERR_FILENO) < 0 || ::chdir("/") != 0) {
    return errno;
  }
  if (const int failed = become(user)) return failed;
  ::execve(argv[0], argv, variables);
  return errno;
}

// As `spawn`, which cannot change the user.
pid_t spawn_as(const Credentials& user, std::vector<std::string> argv,
               const Environment& environment, int output) {
  std::vector<std::string> texts = variables_of(environment);
  const std::vector<char*> words = pointers(argv);
  const std::vector<char*> variables = pointers(texts);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return -errno;
  const FileDescriptor verdict(ends[0]);
  FileDescriptor child_end(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return -errno;
  if (pid == 0) {
    const int failed = execute_as(user, words.data(), variables.data(), output);
    (void)!::write(ends[1], &failed, sizeof failed);
    ::_exit(127);
  }
  child_end.close();
  // Once it is the user's, he can stop it before it executes.
  pollfd told{verdict.get(), POLLIN, 0};
  int failed = ETIMEDOUT;
  int ready = 0;
  while ((ready = ::poll(&told, 1, kStartLimitMs)) < 0 && errno == EINTR) {
  }
  if (ready > 0 && ::read(verdict.get(), &failed, sizeof failed) != sizeof failed) {
    return pid;  // closed by its execution
  }
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return -failed;
}

// Returns the pid, or -errno.
pid_t spawn(std::vector<std::string> argv, const Environment& environment, int output) {
  std::vector<std::string> variables = variables_of(environment);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, "/");  // leave nothing where the worker runs
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, argv.front().c_str(), &actions, &attributes,
                                 pointers(argv).data(), pointers(variables).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return failed == 0 ? pid : -failed;
}

// Reads what is there without blocking; false at the end of the stream.
bool drain(int fd, std::string& out) {
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count == 0) return false;
    if (count < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN;
    }
    const auto room = limits::kMaxProbeOutputBytes - out.size();
    out.append(buffer.data(), std::min(room, static_cast<std::size_t>(count)));
  }
}

// Collects output until the process has ended; false when the time is over first.
bool wait_for_end(int pid_fd, FileDescriptor& output, Millis timeout, std::string& out) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + timeout;
  for (;;) {
    const auto left = std::chrono::ceil<Millis>(deadline - Clock::now());
    if (left <= Millis(0)) return false;
    std::array<pollfd, 2> polled = {{{pid_fd, POLLIN, 0}, {output.get(), POLLIN, 0}}};
    const int ready = ::poll(polled.data(), polled.size(), static_cast<int>(left.count()));
    if (ready < 0 && errno != EINTR) return false;
    if (ready <= 0) continue;
    if (polled[1].revents != 0 && !drain(output.get(), out)) output.close();
    if (polled[0].revents != 0) break;
  }
  if (output.get() >= 0) drain(output.get(), out);
  return true;
}

}  // namespace

std::optional<std::filesystem::path> find_program(std::string_view name,
                                                  std::string_view search_path) {
  const auto usable = [](const std::filesystem::path& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
           ::access(path.c_str(), X_OK) == 0;
  };
  if (name.empty()) return std::nullopt;
  if (name.find('/') != std::string_view::npos) {
    if (usable(std::filesystem::path(name))) return std::filesystem::path(name);
    return std::nullopt;
  }
  while (!search_path.empty()) {
    const auto colon = std::min(search_path.find(':'), search_path.size());
    const auto folder = search_path.substr(0, colon);
    search_path.remove_prefix(std::min(colon + 1, search_path.size()));
    if (folder.empty()) continue;
    auto candidate = std::filesystem::path(folder) / name;
    if (usable(candidate)) return candidate;
  }
  return std::nullopt;
}

tl::expected<ProgramAnswer, std::string> ask_program(const std::vector<std::string>& argv,
                                                     const Environment& environment, Millis timeout,
                                                     const Credentials* user) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return tl::unexpected(std::string("cannot make a pipe: ") + std::strerror(errno));
  }
  FileDescriptor output(ends[0]);
  FileDescriptor child_end(ends[1]);
  ::fcntl(output.get(), F_SETFL, O_NONBLOCK);  // our end only: the program keeps a blocking one

  const pid_t pid = user != nullptr ? spawn_as(*user, argv, environment, child_end.get())
                                    : spawn(argv, environment, child_end.get());
  child_end.close();
  if (pid < 0) {
    return tl::unexpected("'" + argv.front() + "' cannot be started: " + std::strerror(-pid));
  }
  // The header of glibc 2.36 declares pidfd_open for C only.
  FileDescriptor pid_fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  ProgramAnswer answer;
  const bool ended =
      pid_fd.get() >= 0 && wait_for_end(pid_fd.get(), output, timeout, answer.output);
  ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!ended) {
    return tl::unexpected("'" + argv.front() + "' did not end within " +
                          std::to_string(timeout.count()) + " ms");
  }
  if (WIFSIGNALED(status)) {
    return tl::unexpected("'" + argv.front() + "' was killed by signal " +
                          std::to_string(WTERMSIG(status)));
  }
  answer.exit_code = WEXITSTATUS(status);
  return answer;
}

}  // namespace taskpipe::worker
