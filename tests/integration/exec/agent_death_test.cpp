// The worker is killed with SIGKILL: nothing that it started survives.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>

#include "tests/integration/exec/executor_harness.hpp"
#include "tests/integration/exec/live_processes.hpp"
#include "worker/spawner/descriptor.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace taskpipe::worker {
namespace {

// The helper program, and what it says.
class Agent {
 public:
  explicit Agent(const std::string& marker) : marker_(marker) {
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
    output_.reset(pipe[0]);
    const Descriptor write_end(pipe[1]);
    std::array<std::string, 5> arguments = {TASKPIPE_AGENT_PROGRAM, root_.path(), spawner_program(),
                                            TASKPIPE_PROBE_PROGRAM, marker_};
    std::array<char*, 6> argv{};
    for (std::size_t i = 0; i < arguments.size(); ++i) argv[i] = arguments[i].data();
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), 1);
    EXPECT_EQ(::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
  }
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  ~Agent() { kill_now(); }

  // Until it says that everything runs; false when it ends before.
  [[nodiscard]] bool ready() {
    char byte = 0;
    return ::read(output_.get(), &byte, 1) == 1;
  }
  void kill_now() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  std::string marker_;
  ScratchFolder root_;
  Descriptor output_;
  pid_t pid_ = -1;
};

TEST(AgentDeath, LeavesNothingBehind) {
  const std::string marker = unique_marker();
  Agent agent(marker);
  ASSERT_TRUE(agent.ready());
  // The agent, its four attempts, and their trees.
  EXPECT_GE(live_with(marker).size(), 6U);
  const auto helpers = children_of(agent.pid());
  ASSERT_EQ(helpers.size(), 1U);  // the spawner
  agent.kill_now();
  EXPECT_TRUE(all_gone(marker));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (is_live(helpers.front())) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
}

TEST(AgentDeath, TogetherWithTheSpawnersLeavesNothingBehind) {
  const std::string marker = unique_marker();
  Agent agent(marker);
  ASSERT_TRUE(agent.ready());
  const auto helpers = children_of(agent.pid());
  ASSERT_EQ(helpers.size(), 1U);
  ::kill(helpers.front(), SIGKILL);
  agent.kill_now();
  EXPECT_TRUE(all_gone(marker));
}

}  // namespace
}  // namespace taskpipe::worker
