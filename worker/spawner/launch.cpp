#include "worker/spawner/launch.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "worker/spawner/descriptor.hpp"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2U)
#endif

namespace taskpipe::worker {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

// What travels through the error pipe, byte for byte: it has no padding, which would be whatever
// the stack held before.
struct Failure {
  SpawnStage stage = SpawnStage::none;
  std::array<std::uint8_t, 3> unused{};
  int error = 0;
  std::size_t candidate = 0;
};
static_assert(std::has_unique_object_representations_v<Failure>);

// Everything the child needs, prepared before vfork: it must neither allocate nor lock.
struct ChildPlan {
  std::vector<char*> argv;
  std::vector<char*> environment;
  std::vector<std::string> candidates;
  const spawn_message::Spawn* spawn = nullptr;
  const LaunchContext* context = nullptr;
  rlimit open_files{};
  pid_t parent = 0;
  int null_fd = -1;
  int report_fd = -1;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) {
    out.push_back(const_cast<char*>(text.c_str()));  // NOLINT: execve's historical signature
  }
  out.push_back(nullptr);
  return out;
}

[[noreturn]] void fail(const ChildPlan& plan, SpawnStage stage, int error, std::size_t which = 0) {
  const Failure failure{stage, {}, error, which};
  [[maybe_unused]] const auto written = ::write(plan.report_fd, &failure, sizeof failure);
  ::_exit(127);
}

void reset_signals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal <= SIGRTMAX; ++signal) ::sigaction(signal, &action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool set_limit(__rlimit_resource resource, std::uint64_t value) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return false;
  limit.rlim_cur = std::min<rlim_t>(value, limit.rlim_max);
  // CPU time: SIGXCPU at the soft limit, SIGKILL a second later at the hard one.
  limit.rlim_max =
      resource == RLIMIT_CPU ? std::min<rlim_t>(value + 1, limit.rlim_max) : limit.rlim_cur;
  return ::setrlimit(resource, &limit) == 0;
}

void apply_limits(const ChildPlan& plan) {
  const spawn_message::Spawn& spawn = *plan.spawn;
  bool ok = true;
  if (spawn.cpu_limit_s > 0) ok = ok && set_limit(RLIMIT_CPU, spawn.cpu_limit_s);
  if (plan.context->limit_address_space && spawn.memory_limit_bytes > 0) {
    ok = ok && set_limit(RLIMIT_AS, spawn.memory_limit_bytes);
  }
  ok = ok && ::setrlimit(RLIMIT_NOFILE, &plan.open_files) == 0;
  if (spawn.niceness != 0) ok = ok && ::setpriority(PRIO_PROCESS, 0, spawn.niceness) == 0;
  if (!ok) fail(plan, SpawnStage::limits, errno);
}

void connect_descriptors(const ChildPlan& plan) {
  // The sources are above 2 (see `launch`), so no dup2 can overwrite one that is still needed.
  if (::dup2(plan.null_fd, 0) < 0 || ::dup2(plan.context->stdout_fd, 1) < 0 ||
      ::dup2(plan.context->stderr_fd, 2) < 0) {
    fail(plan, SpawnStage::output, errno);
  }
  // The guard holds close-on-exec descriptors only; this covers what a library may have opened.
  ::syscall(SYS_close_range, 3U, UINT_MAX, CLOSE_RANGE_CLOEXEC);
}

[[noreturn]] void execute(const ChildPlan& plan) {
  int error = ENOENT;
  std::size_t which = 0;
  SpawnStage stage = SpawnStage::exec;
  for (std::size_t i = 0; i < plan.candidates.size(); ++i) {
    const char* path = plan.candidates[i].c_str();
    ::execve(path, plan.argv.data(), plan.environment.data());
    const int now = errno;
    if (now == ENOENT && ::access(path, F_OK) == 0) fail(plan, SpawnStage::interpreter, now, i);
    // As execvp: a file that may not be run is worth reporting, unless a later one can be.
    if (now != ENOENT && now != ENOTDIR && now != EACCES) fail(plan, stage, now, i);
    if (now == EACCES && error != EACCES) {
      error = EACCES;
      which = i;
    }
  }
  fail(plan, stage, error, which);
}

// Runs on the guard's memory until exec: system calls only.
[[noreturn]] void run_child(const ChildPlan& plan) {
  ::setsid();
  for (const int entrance : plan.context->cgroup_entrances) {
    if (::write(entrance, "0", 1) != 1) fail(plan, SpawnStage::cgroup, errno);
  }
  apply_limits(plan);
  connect_descriptors(plan);
  reset_signals();
  // Last of what may need the rights of root, first of what needs those of the user. From here on
  // his other programs can stop this process, and with it the guard, which waits for the exec: so
  // there is little in between.
  if (plan.context->run_as != nullptr) {
    if (const int error = become(*plan.context->run_as)) fail(plan, SpawnStage::user, error);
  }
  if (::chdir(plan.spawn->directory.c_str()) != 0) fail(plan, SpawnStage::directory, errno);
  // Last, because a change of user clears it. Whoever died before is caught by the comparison.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != plan.parent) fail(plan, SpawnStage::orphaned, ESRCH);
  execute(plan);
}

// The child shares this frame's memory until it has executed: keep the call alone in a function.
__attribute__((noinline)) pid_t start_child(const ChildPlan& plan) {
  const pid_t pid = ::vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork)
  if (pid == 0) run_child(plan);
  return pid;
}

// A copy of `fd` above the standard descriptors.
Descriptor above_standard(int fd) { return Descriptor(::fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

Failure read_failure(const Descriptor& report) {
  Failure failure;
  ssize_t got = 0;
  do {
    got = ::read(report.get(), &failure, sizeof failure);
  } while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(sizeof failure) ? failure : Failure{};
}

}  // namespace

std::vector<std::string> executable_candidates(const spawn_message::Spawn& spawn,
                                               const std::string& search_path) {
  const std::string& name = spawn.argv.front();
  if (name.find('/') != std::string::npos) return {name};
  std::string_view path = search_path.empty() ? kDefaultPath : std::string_view(search_path);
  for (const std::string& entry : spawn.environment) {
    if (entry.starts_with("PATH=")) path = std::string_view(entry).substr(5);
  }
  std::vector<std::string> candidates;
  while (!name.empty()) {
    const std::size_t end = path.find(':');
    const std::string_view folder = path.substr(0, end);
    if (!folder.empty()) candidates.push_back(std::string(folder) + "/" + name);
    if (end == std::string_view::npos) break;
    path.remove_prefix(end + 1);
  }
  return candidates;
}

LaunchResult launch(const spawn_message::Spawn& spawn, const LaunchContext& context) {
  LaunchResult result;
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return {-1, SpawnStage::output, errno, "error pipe"};
  const Descriptor report(pipe[0]);
  Descriptor report_write = above_standard(pipe[1]);
  ::close(pipe[1]);
  const Descriptor null_fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Descriptor null_high = above_standard(null_fd.get());
  const Descriptor out = above_standard(context.stdout_fd);
  const Descriptor err = above_standard(context.stderr_fd);
  if (!report_write.valid() || !null_high.valid() || !out.valid() || !err.valid()) {
    return {-1, SpawnStage::output, errno, null_fd.valid() ? "" : "/dev/null"};
  }
  LaunchContext prepared = context;
  prepared.stdout_fd = out.get();
  prepared.stderr_fd = err.get();
  ChildPlan plan;
  plan.argv = pointers(spawn.argv);
  plan.environment = pointers(spawn.environment);
  plan.candidates = executable_candidates(spawn, context.search_path);
  plan.spawn = &spawn;
  plan.context = &prepared;
  plan.open_files = context.open_files;
  if (spawn.open_files > 0) {
    plan.open_files.rlim_cur = std::min<rlim_t>(spawn.open_files, plan.open_files.rlim_max);
  }
  plan.parent = ::getpid();
  plan.null_fd = null_high.get();
  plan.report_fd = report_write.get();
  result.pid = start_child(plan);
  if (result.pid < 0) return {-1, SpawnStage::exec, errno, "vfork"};
  report_write.reset();
  const Failure failure = read_failure(report);
  if (failure.stage == SpawnStage::none) return result;
  while (::waitpid(result.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  result = {-1, failure.stage, failure.error, ""};
  if (failure.stage == SpawnStage::directory) result.detail = spawn.directory;
  if (failure.stage == SpawnStage::exec || failure.stage == SpawnStage::interpreter) {
    result.detail = failure.candidate < plan.candidates.size() && failure.error != ENOENT
                        ? plan.candidates[failure.candidate]
                        : spawn.argv.front();
    if (failure.stage == SpawnStage::interpreter)
      result.detail = plan.candidates[failure.candidate];
  }
  return result;
}

}  // namespace taskpipe::worker
