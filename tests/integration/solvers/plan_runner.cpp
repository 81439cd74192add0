#include "tests/integration/solvers/plan_runner.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <set>
#include <stdexcept>
#include <string_view>

namespace taskpipe::worker {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (auto& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  return ends;
}

// One of the two streams: what arrived, and how far it has been given to the parser.
class Stream {
 public:
  Stream(int fd, LogStream which, std::string& text) : fd_(fd), which_(which), text_(text) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { ::close(fd_); }

  [[nodiscard]] int fd() const { return open_ ? fd_ : -1; }
  [[nodiscard]] bool open() const { return open_; }

  void read(OutputParser* parser, FinishedRun& run) {
    std::array<char, 4096> buffer{};
    const ssize_t count = ::read(fd_, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) return;
    if (count > 0) text_.append(buffer.data(), static_cast<std::size_t>(count));
    if (count <= 0) open_ = false;
    for (auto end = text_.find('\n', given_); end != std::string::npos;
         end = text_.find('\n', given_)) {
      give(std::string_view(text_).substr(given_, end - given_), parser, run);
      given_ = end + 1;
    }
  }

 private:
  void give(std::string_view line, OutputParser* parser, FinishedRun& run) {
    constexpr std::string_view kGeneric = "taskpipe-progress ";
    if (line.starts_with(kGeneric)) {
      run.percents.push_back(
          std::strtod(std::string(line.substr(kGeneric.size())).c_str(), nullptr));
    }
    if (parser == nullptr) return;
    ParsedLine parsed;
    parser->read(which_, line, parsed);
    if (parsed.percent >= 0) run.percents.push_back(parsed.percent);
    for (const auto& [name, value] : parsed.metrics) run.metrics[name].push_back(value);
  }

  int fd_;
  LogStream which_;
  std::string& text_;
  std::size_t given_ = 0;
  bool open_ = true;
};

void write_files(const RunPlan& plan, const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  for (const auto& file : plan.files) {
    std::ofstream(directory / file.name, std::ios::binary) << file.content.text();
  }
}

pid_t spawn(RunPlan& plan, const std::filesystem::path& directory, int out, int err) {
  std::vector<std::string> environment;
  for (const auto& [name, value] : plan.environment) environment.push_back(name + "=" + value);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, plan.argv.front().c_str(), &actions, nullptr,
                                 pointers(plan.argv).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw std::runtime_error("cannot start " + plan.argv.front());
  return pid;
}

}  // namespace

std::size_t FinishedRun::distinct_percents() const {
  return std::set<double>(percents.begin(), percents.end()).size();
}

FinishedRun run_plan(RunPlan plan, const std::filesystem::path& directory) {
  write_files(plan, directory);
  FinishedRun run;
  const auto out_pipe = make_pipe();
  const auto err_pipe = make_pipe();
  Stream out(out_pipe[0], LogStream::out, run.out);
  Stream err(err_pipe[0], LogStream::err, run.err);
  const pid_t pid = spawn(plan, directory, out_pipe[1], err_pipe[1]);
  ::close(out_pipe[1]);
  ::close(err_pipe[1]);
  while (out.open() || err.open()) {
    std::array<pollfd, 2> polled = {{{out.fd(), POLLIN, 0}, {err.fd(), POLLIN, 0}}};
    if (::poll(polled.data(), polled.size(), -1) < 0) continue;
    if (polled[0].revents != 0) out.read(plan.parser.get(), run);
    if (polled[1].revents != 0) err.read(plan.parser.get(), run);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  run.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return run;
}

}  // namespace taskpipe::worker
