// A guard with a fake cgroup: what it asks of the seam, and when.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/exec/executor_harness.hpp"
#include "tests/integration/exec/live_processes.hpp"
#include "worker/spawner/cgroup_driver.hpp"
#include "worker/spawner/guard_process.hpp"

namespace taskpipe::worker {
namespace {

using ::testing::HasSubstr;

constexpr int kPatienceMs = 20'000;

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
    inherited.lifeline = driver_.journal = journal_.get();
    ::getrlimit(RLIMIT_NOFILE, &inherited.open_files);
    GuardProcess(inherited, driver_).run(spawn_, {null_device(), null_device()});
    ::_exit(0);
  }
  static Descriptor null_device() { return Descriptor(::open("/dev/null", O_WRONLY | O_CLOEXEC)); }
  void tell(const SpawnMessage& message) {
    const std::string packet = encode(message);
    ASSERT_EQ(::send(ours_.get(), packet.data(), packet.size(), 0),
              static_cast<ssize_t>(packet.size()));
  }
  // Another attempt, for the guard that waits.
  void assign_next() {
    ASSERT_TRUE(assign(ours_.get(), encode(spawn_), null_device(), null_device()));
  }
  std::optional<SpawnMessage> next() {
    std::array<char, 8192> packet{};
    const ssize_t got = ::recv(ours_.get(), packet.data(), packet.size(), 0);
    if (got <= 0) return std::nullopt;
    return decode_frame({packet.data(), static_cast<std::size_t>(got)});
  }
  // The next that is not SPAWNED.
  std::optional<spawn_message::Exited> end() {
    auto message = next();
    if (message && std::holds_alternative<spawn_message::Spawned>(*message)) message = next();
    if (!message || !std::holds_alternative<spawn_message::Exited>(*message)) return std::nullopt;
    return std::get<spawn_message::Exited>(*message);
  }
  // Although its socket is open.
  bool exits_by_itself() {
    const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    pollfd ended{process.get(), POLLIN, 0};
    if (::poll(&ended, 1, kPatienceMs) != 1) return false;
    return ::waitpid(std::exchange(pid_, -1), nullptr, 0) > 0;
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
  const auto ended = end();
  ASSERT_TRUE(ended);
  EXPECT_TRUE(ended->out_of_memory);
  EXPECT_EQ(WEXITSTATUS(ended->wait_status), 3);
  EXPECT_EQ(journal(), "0asked removed ");
}

TEST_F(GuardTest, MakesNoGroupWithoutALimit) {
  spawn_.argv = {TASKPIPE_PROBE_PROGRAM, "exit", "0"};
  spawn_.memory_limit_bytes = 0;
  run_guard();
  ASSERT_TRUE(end());
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
  EXPECT_EQ(journal(), "0removed ");
  spawn_.argv = {TASKPIPE_PROBE_PROGRAM, "exit", "0"};
  assign_next();
  EXPECT_TRUE(end()) << "it goes on";
}

TEST_F(GuardTest, AnnouncesWhatGoesOn) {
  spawn_.argv = {TASKPIPE_PROBE_PROGRAM, "stubborn"};
  run_guard();
  const auto message = next();
  ASSERT_TRUE(message && std::holds_alternative<spawn_message::Spawned>(*message));
  const auto& spawned = std::get<spawn_message::Spawned>(*message);
  EXPECT_GE(spawned.age_us, kAnnounceMs * 1000U);
  EXPECT_EQ(spawned.run, 1U);
  EXPECT_EQ(children_of(pid_), std::vector<pid_t>{static_cast<pid_t>(spawned.pid)});
}

TEST_F(GuardTest, ServesOneAttemptAfterAnother) {
  spawn_.argv = {"/bin/sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; exit 3"};
  run_guard();
  const auto first = end();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->run, 1U);
  EXPECT_GT(first->user_us, 0U);
  spawn_.run = 2;
  spawn_.argv = {TASKPIPE_PROBE_PROGRAM, "exit", "4"};
  spawn_.memory_limit_bytes = 0;
  assign_next();
  const auto second = end();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->run, 2U);
  ASSERT_TRUE(WIFEXITED(second->wait_status));
  EXPECT_EQ(WEXITSTATUS(second->wait_status), 4);
  // Of what it started itself, and of nothing that was before.
  EXPECT_LT(second->user_us + second->system_us, first->user_us + first->system_us);
  EXPECT_LE(second->user_us + second->system_us, second->wall_us * 4);
  EXPECT_EQ(journal(), "0asked removed ");
  EXPECT_EQ(::waitpid(pid_, nullptr, WNOHANG), 0);
  ours_.reset();
  EXPECT_EQ(::waitpid(std::exchange(pid_, -1), nullptr, 0) > 0, true) << "it ends with its socket";
}

TEST_F(GuardTest, AStopThatIsTooLateDoesNotHitTheNext) {
  spawn_.argv = {TASKPIPE_PROBE_PROGRAM, "exit", "0"};
  run_guard();
  ASSERT_TRUE(end());
  spawn_.run = 2;
  spawn_.argv = {"/bin/sleep", "60"};
  tell(spawn_message::Stop{1, SIGKILL, 0});  // while it waits
  assign_next();
  tell(spawn_message::Stop{1, SIGKILL, 0});  // while it serves
  tell(spawn_message::Stop{2, SIGTERM, 60'000});
  const auto second = end();
  ASSERT_TRUE(second);
  ASSERT_TRUE(WIFSIGNALED(second->wait_status));
  EXPECT_EQ(WTERMSIG(second->wait_status), SIGTERM);
}

TEST_F(GuardTest, HoldsNoPipeOfAFailedStart) {
  spawn_.argv = {TASKPIPE_PROBE_PROGRAM, "exit", "0"};
  driver_.create_error = EACCES;
  run_guard();
  ASSERT_TRUE(next());
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const Descriptor read_end(pipe[0]);
  Descriptor write_end(pipe[1]);
  ASSERT_TRUE(assign(ours_.get(), encode(spawn_), write_end, write_end));
  write_end.reset();
  ASSERT_TRUE(next());
  pollfd hang_up{read_end.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&hang_up, 1, kPatienceMs), 1) << "it waits and has it open";
}

// Its end tells the spawner what it could not.
TEST_F(GuardTest, ExitsWhenItsReportCannotBeSent) {
  spawn_.argv = {TASKPIPE_PROBE_PROGRAM, "exit", "0"};
  ASSERT_EQ(::shutdown(ours_.get(), SHUT_RD), 0);
  run_guard();
  EXPECT_TRUE(exits_by_itself());
}

TEST_F(GuardTest, ExitsWhenWhatItIsSentIsNoMessage) {
  spawn_.argv = {TASKPIPE_PROBE_PROGRAM, "exit", "0"};
  run_guard();
  ASSERT_TRUE(end());
  ASSERT_EQ(::send(ours_.get(), "x", 1, 0), 1);
  EXPECT_TRUE(exits_by_itself());
}

TEST_F(GuardTest, KillsThroughTheGroupFirst) {
  spawn_.argv = {TASKPIPE_PROBE_PROGRAM, "stubborn"};
  run_guard();
  ASSERT_TRUE(next());
  tell(spawn_message::Stop{1, SIGTERM, 0});
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
  ASSERT_TRUE(end());
  EXPECT_EQ(read_small_file(file), "77\n55\n5\n");
}

}  // namespace
}  // namespace taskpipe::worker
