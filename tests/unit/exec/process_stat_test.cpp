#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "worker/spawner/launch.hpp"
#include "worker/spawner/process_tree.hpp"

namespace taskpipe::worker {
namespace {

std::string stat_line(const std::string& name) {
  return "42 (" + name + ") S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1000 10\n";
}

TEST(ProcessStat, ReadsStateParentAndStart) {
  const auto stat = parse_process_stat(stat_line("sh"));
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->parent, 7);
  EXPECT_EQ(stat->start_ticks, 98765U);
}

TEST(ProcessStat, AZombieWithThreadsHasNotEnded) {
  const auto stat = [](const std::string& state, int threads) {
    return parse_process_stat("42 (sh) " + state + " 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 " +
                              std::to_string(threads) + " 0 98765 1000 10\n");
  };
  EXPECT_TRUE(stat("Z", 1)->ended());
  EXPECT_TRUE(stat("X", 1)->ended());
  EXPECT_FALSE(stat("Z", 2)->ended());
  EXPECT_FALSE(stat("S", 1)->ended());
}

TEST(ProcessStat, TheNameMayHoldAnything) {
  for (const char* name : {"a) R 1 (b", "))) (", "", "new\nline", "x) Z 99 99"}) {
    const auto stat = parse_process_stat(stat_line(name));
    ASSERT_TRUE(stat) << name;
    EXPECT_EQ(stat->parent, 7) << name;
  }
}

TEST(ProcessStat, RefusesGarbage) {
  for (const char* text : {"", "42", "42 (sh", "42 (sh)", "42 (sh) ", "42 (sh) S", "42 (sh) S x 1",
                           "42 (sh) S 7 1 2 3"}) {
    EXPECT_FALSE(parse_process_stat(text)) << text;
  }
}

TEST(ProcessStat, ReadsThisProcess) {
  const auto stat = read_process_stat(::getpid());
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->parent, ::getppid());
  EXPECT_FALSE(read_process_stat(0x3FFFFFFF));
}

TEST(ExecutableCandidates, FollowThePlansPath) {
  using Paths = std::vector<std::string>;
  spawn_message::Spawn spawn;
  spawn.argv = {"tool"};
  spawn.environment = {"HOME=/root", "PATH=/a::/b:"};
  EXPECT_EQ(executable_candidates(spawn, "/elsewhere"), (Paths{"/a/tool", "/b/tool"}));
  spawn.environment.clear();
  EXPECT_EQ(executable_candidates(spawn, "/elsewhere"), Paths{"/elsewhere/tool"});
  EXPECT_FALSE(executable_candidates(spawn, "").empty());
  spawn.argv = {"./tool"};
  EXPECT_EQ(executable_candidates(spawn, "/elsewhere"), Paths{"./tool"});
}

}  // namespace
}  // namespace taskpipe::worker
