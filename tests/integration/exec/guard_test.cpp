// A guard with a fake cgroup: what it asks of the seam, and when.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>

#include "tests/integration/exec/executor_harness.hpp"
#include "tests/integration/exec/live_processes.hpp"
#include "worker/spawner/cgroup_driver.hpp"
#include "worker/spawner/guard.hpp"

namespace taskpipe::worker {
namespace {

using ::testing::HasSubstr;

// Notes every call in a file, which outlives the guard's process.
class FakeCgroup final : public AttemptCgroup {
 public:
  FakeCgroup(int journal, bool out_of_memory) : journal_(journal), oom_(out_of_memory) {}
  [[nodiscard]] std::span<const int> entrances() const override { return {&journal_, 1}; }
  bool kill() override {
    note("kill ");
    return false;  // and leaves it to the guard
  }
  [[nodiscard]] bool out_of_memory() override {
    note("asked ");
    return oom_;
  }
  void remove() override { note("removed "); }

 private:
  void note(std::string_view text) {
    EXPECT_EQ(::write(journal_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  int journal_;
  bool oom_;
};

struct FakeCgroupDriver final : CgroupDriver {
  [[nodiscard]] std::string_view name() const override { return "fake"; }
  [[nodiscard]] bool limits_address_space() const override { return false; }
  [[nodiscard]] std::unique_ptr<AttemptCgroup> create(RunNumber, std::uint64_t,
                                                      int& error) override {
    error = create_error;
    if (error != 0) return nullptr;
    return std::make_unique<FakeCgroup>(::fcntl(journal, F_DUPFD_CLOEXEC, 3), out_of_memory);
  }
  void discard(RunNumber) override {}

  int journal = -1;
  int create_error = 0;
  bool out_of_memory = false;
};

class GuardTest : public ::testing::Test {
 protected:
  GuardTest() : journal_(::open((folder_ / "journal").c_str(), O_RDWR | O_CREAT | O_APPEND, 0600)) {
    spawn_.run = 1;
    spawn_.directory = "/";
    spawn_.memory_limit_bytes = 1U << 30U;
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()), 0);
    ours_.reset(pair[0]);
    theirs_.reset(pair[1]);
  }
  ~GuardTest() override {
    ours_.reset();
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  }

  void run_guard() {
    pid_ = ::fork();
    ASSERT_GE(pid_, 0);
    if (pid_ > 0) return theirs_.reset();
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    GuardInheritance inherited;
    inherited.socket = theirs_.get();
    inherited.stdout_fd = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    inherited.stderr_fd = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    inherited.lifeline = driver_.journal = journal_.get();
    ::getrlimit(RLIMIT_NOFILE, &inherited.open_files);
    Guard(spawn_, inherited, driver_).run();
    ::_exit(0);
  }
  std::optional<SpawnMessage> next() {
    std::array<char, 8192> packet{};
    const ssize_t got = ::recv(ours_.get(), packet.data(), packet.size(), 0);
    if (got <= 0) return std::nullopt;
    return decode_frame({packet.data(), static_cast<std::size_t>(got)});
  }
  std::string journal() const { return read_small_file(folder_ / "journal"); }

  ScratchFolder folder_;
  Descriptor journal_;
  spawn_message::Spawn spawn_;
  FakeCgroupDriver driver_;
  Descriptor ours_;
  Descriptor theirs_;
  pid_t pid_ = -1;
};

TEST_F(GuardTest, EntersAsksAndRemovesTheGroupInThisOrder) {
  spawn_.argv = {TASKPIPE_PROBE_PROGRAM, "exit", "3"};
  driver_.out_of_memory = true;
  run_guard();
  const auto spawned = next();
  ASSERT_TRUE(spawned && std::holds_alternative<spawn_message::Spawned>(*spawned));
  const auto end = next();
  ASSERT_TRUE(end && std::holds_alternative<spawn_message::Exited>(*end));
  EXPECT_TRUE(std::get<spawn_message::Exited>(*end).out_of_memory);
  EXPECT_EQ(WEXITSTATUS(std::get<spawn_message::Exited>(*end).wait_status), 3);
  EXPECT_EQ(journal(), "0asked removed ");
}

TEST_F(GuardTest, MakesNoGroupWithoutALimit) {
  spawn_.argv = {TASKPIPE_PROBE_PROGRAM, "exit", "0"};
  spawn_.memory_limit_bytes = 0;
  run_guard();
  ASSERT_TRUE(next());
  ASSERT_TRUE(next());
  EXPECT_EQ(journal(), "");
}

TEST_F(GuardTest, ReportsAGroupThatCannotBeMade) {
  spawn_.argv = {TASKPIPE_PROBE_PROGRAM, "exit", "0"};
  driver_.create_error = EACCES;
  run_guard();
  const auto failure = next();
  ASSERT_TRUE(failure && std::holds_alternative<spawn_message::SpawnFailed>(*failure));
  EXPECT_EQ(std::get<spawn_message::SpawnFailed>(*failure).stage, SpawnStage::cgroup);
  EXPECT_EQ(std::get<spawn_message::SpawnFailed>(*failure).error, EACCES);
}

TEST_F(GuardTest, RemovesTheGroupOfAFailedStart) {
  spawn_.argv = {"/no/such/program"};
  run_guard();
  const auto failure = next();
  ASSERT_TRUE(failure && std::holds_alternative<spawn_message::SpawnFailed>(*failure));
  EXPECT_FALSE(next());  // it exits
  EXPECT_EQ(journal(), "0removed ");
}

TEST_F(GuardTest, KillsThroughTheGroupFirst) {
  spawn_.argv = {TASKPIPE_PROBE_PROGRAM, "stubborn"};
  run_guard();
  ASSERT_TRUE(next());
  const std::string stop = encode(spawn_message::Stop{1, SIGTERM, 0});
  ASSERT_EQ(::send(ours_.get(), stop.data(), stop.size(), 0), static_cast<ssize_t>(stop.size()));
  ASSERT_TRUE(next());
  EXPECT_THAT(journal(), HasSubstr("kill "));
  EXPECT_THAT(journal(), HasSubstr("asked removed "));
}

TEST_F(GuardTest, KillsEverythingWhenItsSpawnerIsGone) {
  const std::string marker = unique_marker();
  spawn_.argv = {TASKPIPE_PROBE_PROGRAM, "daemonize-stay", "", marker};
  run_guard();
  ASSERT_TRUE(next());
  ours_.reset();
  ASSERT_EQ(::waitpid(pid_, nullptr, 0), pid_);
  pid_ = -1;
  EXPECT_TRUE(live_with(marker).empty());
  EXPECT_THAT(journal(), HasSubstr("removed "));
}

TEST_F(GuardTest, SetsTheLimitsOfTheProcess) {
  const std::string file = folder_ / "limits";
  spawn_.argv = {"/bin/sh", "-c", "(ulimit -t; ulimit -n; nice) > " + file};
  spawn_.environment = {"PATH=/usr/bin:/bin"};
  spawn_.cpu_limit_s = 77;
  spawn_.open_files = 55;
  spawn_.niceness = 5;
  run_guard();
  ASSERT_TRUE(next());
  ASSERT_TRUE(next());
  EXPECT_EQ(read_small_file(file), "77\n55\n5\n");
}

}  // namespace
}  // namespace taskpipe::worker
