#include "worker/tools/program.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include "common/model/limits.hpp"
#include "tests/unit/tools/temporary_folder.hpp"

namespace taskpipe::worker {
namespace {

constexpr Millis kPatient{30'000};

tl::expected<ProgramAnswer, std::string> shell(const std::string& script, Millis timeout = kPatient,
                                               const Environment& environment = {}) {
  return ask_program({"/bin/sh", "-c", script}, environment, timeout);
}

TEST(FindProgram, LooksThroughTheSearchPath) {
  const TemporaryFolder folder;
  const auto tool = folder.write("b/tool", "#!/bin/sh\n", true);
  folder.write("a/tool", "not executable");
  folder.write("a/dir/tool/x", "");
  const std::string path = folder.path().string() + "/none::" + folder.path().string() +
                           "/a:" + folder.path().string() + "/a/dir:" + folder.path().string() +
                           "/b";
  EXPECT_EQ(find_program("tool", path), tool);
  EXPECT_EQ(find_program("other", path), std::nullopt);
  EXPECT_EQ(find_program("", path), std::nullopt);
  EXPECT_EQ(find_program(tool.string(), ""), tool);
  EXPECT_EQ(find_program(folder.path().string() + "/a/tool", ""), std::nullopt);
}

TEST(AskProgram, AsAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root becomes another user";
  const Credentials user{64321, 64322, {64323}};
  const auto answer =
      ask_program({"/bin/sh", "-c", "id -u; id -g; id -G; pwd; echo $A; echo err >&2; exit 3"},
                  {{"PATH", "/usr/bin:/bin"}, {"A", "b"}}, kPatient, &user);
  ASSERT_TRUE(answer) << answer.error();
  EXPECT_EQ(answer->output, "64321\n64322\n64322 64323\n/\nb\nerr\n");
  EXPECT_EQ(answer->exit_code, 3);
  const auto none = ask_program({"/no/such/program"}, {}, kPatient, &user);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().find("cannot be started: No such file"), std::string::npos);
  const auto late = ask_program({"/bin/sleep", "600"}, {}, Millis(50), &user);
  ASSERT_FALSE(late);
  EXPECT_NE(late.error().find("did not end within 50 ms"), std::string::npos);
}

TEST(AskProgram, ReturnsStatusAndBothStreams) {
  const auto answer = shell("echo out; echo err >&2; exit 3");
  ASSERT_TRUE(answer) << answer.error();
  EXPECT_EQ(answer->exit_code, 3);
  EXPECT_EQ(answer->output, "out\nerr\n");
}

TEST(AskProgram, PassesExactlyTheEnvironment) {
  const auto answer = ask_program({"/usr/bin/env"}, {{"A", "1"}, {"B", "x y"}}, kPatient);
  ASSERT_TRUE(answer) << answer.error();
  EXPECT_EQ(answer->output, "A=1\nB=x y\n");
}

TEST(AskProgram, GivesNoInput) {
  const auto answer = shell("cat; echo end");
  ASSERT_TRUE(answer) << answer.error();
  EXPECT_EQ(answer->output, "end\n");
}

TEST(AskProgram, KillsWhatTakesTooLong) {
  const auto answer = shell("sleep 600", Millis(50));
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().find("did not end within 50 ms"), std::string::npos);
}

TEST(AskProgram, DoesNotWaitForWhatIsLeftRunning) {
  // The background process holds the pipe open; it is killed with its group. Were it waited for,
  // the test would end by its own time limit.
  const auto answer = shell("sleep 600 & echo started");
  ASSERT_TRUE(answer) << answer.error();
  EXPECT_EQ(answer->output, "started\n");
}

TEST(AskProgram, ReadsOnAfterTheOutputIsClosed) {
  const auto answer = shell("echo out; exec >&- 2>&-; exit 4");
  ASSERT_TRUE(answer) << answer.error();
  EXPECT_EQ(answer->exit_code, 4);
  EXPECT_EQ(answer->output, "out\n");
}

TEST(AskProgram, KeepsABoundedPartOfMuchOutput) {
  const auto answer = shell("head -c 3000000 /dev/zero");
  ASSERT_TRUE(answer) << answer.error();
  EXPECT_EQ(answer->exit_code, 0);
  EXPECT_EQ(answer->output.size(), limits::kMaxProbeOutputBytes);
}

TEST(AskProgram, SaysWhyAProgramDidNotAnswer) {
  const auto absent = ask_program({"/nonexistent/tool"}, {}, kPatient);
  ASSERT_FALSE(absent);
  EXPECT_NE(absent.error().find("No such file"), std::string::npos);
  const auto killed = shell("kill -9 $$");
  ASSERT_FALSE(killed);
  EXPECT_NE(killed.error().find("signal 9"), std::string::npos);
}

}  // namespace
}  // namespace taskpipe::worker
