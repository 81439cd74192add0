// Output of every kind, and progress.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "common/model/limits.hpp"
#include "tests/integration/exec/executor_harness.hpp"
#include "worker/spawner/descriptor.hpp"

namespace taskpipe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::size_t resident_bytes() {
  const std::string text = read_small_file("/proc/self/statm");
  const std::size_t pages = std::stoull(text.substr(text.find(' ') + 1));
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST(Output, StreamsAreKeptApart) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::shell("echo out; echo err >&2"));
  const RunReport report = report_of(harness.wait_for_end(key));
  AttemptLog log = harness.log(key);
  EXPECT_EQ(log.output[LogStream::out], "out\n");
  EXPECT_EQ(log.output[LogStream::err], "err\n");
  EXPECT_EQ(report.stdout_tail, "out\n");
  EXPECT_EQ(report.stderr_tail, "err\n");
  EXPECT_EQ(content_of(harness.directory_of(key) + "/stdout.log"), "out\n");
  EXPECT_EQ(content_of(harness.directory_of(key) + "/stderr.log"), "err\n");
}

TEST(Output, BinaryIsKeptAsItIs) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::probe("binary"));
  const RunReport report = report_of(harness.wait_for_end(key));
  std::string expected;
  for (int i = 0; i < 256; ++i) expected.push_back(static_cast<char>(i));
  EXPECT_EQ(content_of(harness.directory_of(key) + "/stdout.log"), expected);
  EXPECT_EQ(harness.log(key).output[LogStream::out], expected);
  EXPECT_EQ(report.stdout_bytes, 256U);
  EXPECT_EQ(report.stdout_tail.substr(0, 128), expected.substr(0, 128));
  EXPECT_EQ(report.stdout_tail.substr(128, 3), "\xEF\xBF\xBD");
}

TEST(Output, AMegabyteWithoutANewlineIsKeptWhole) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::probe("long-line", "1048576"));
  const RunReport report = report_of(harness.wait_for_end(key));
  EXPECT_EQ(report.stdout_bytes, 1048576U);
  EXPECT_EQ(report.stdout_tail, std::string(limits::kTailBytes, 'y'));
  EXPECT_EQ(std::filesystem::file_size(harness.directory_of(key) + "/stdout.log"), 1048576U);
}

TEST(Output, TwoHundredMegabytesGrowNoMemoryAndStallNobody) {
  ExecutorHarness harness;
  harness.run(ExecutorHarness::probe("print", "1000000"));  // whatever is allocated once
  const std::size_t before = resident_bytes();
  constexpr std::uint64_t kBytes = 200U << 20U;
  const AttemptKey loud = harness.start(ExecutorHarness::probe("print", std::to_string(kBytes)));
  ASSERT_TRUE(harness.wait_until(loud, [](const AttemptLog& log) { return log.started == 1; }));
  // Others pass through while it prints.
  int passed = 0;
  while (harness.log(loud).ended.empty() && passed < 10'000) {
    EXPECT_EQ(harness.run(ExecutorHarness::probe("exit", "0")).state, TaskState::success);
    ++passed;
  }
  const Outcome out = harness.wait_for_end(loud);
  const std::size_t after = resident_bytes();
  EXPECT_GT(passed, 0);
  EXPECT_EQ(out.state, TaskState::success) << out.reason;
  EXPECT_EQ(report_of(out).stdout_bytes, kBytes);
  EXPECT_EQ(std::filesystem::file_size(harness.directory_of(loud) + "/stdout.log"), kBytes);
  constexpr std::size_t kAllowedBytes = 64U << 20U;
  EXPECT_LT(after, before + kAllowedBytes);
}

TEST(Output, TheFileIsBounded) {
  ExecutorHarness harness([](auto& options) { options.max_log_file_bytes = 1000; });
  const AttemptKey key = harness.start(ExecutorHarness::probe("print", "100000"));
  const RunReport report = report_of(harness.wait_for_end(key));
  EXPECT_EQ(report.stdout_bytes, 100'000U);
  EXPECT_EQ(std::filesystem::file_size(harness.directory_of(key) + "/stdout.log"), 1000U);
}

TEST(Output, ASilentToolLeavesNoFile) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::probe("exit", "0"));
  EXPECT_TRUE(report_of(harness.wait_for_end(key)).artifacts.empty());
  EXPECT_FALSE(std::filesystem::exists(harness.directory_of(key) + "/stdout.log"));
}

TEST(ToolProgress, IsReadFromEveryToolAndTheLastIsNeverLost) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::shell(
      "i=0; while [ $i -le 1000 ]; do echo taskpipe-progress $((i / 10)) step $i; i=$((i + 1)); "
      "done; printf 'taskpipe-progress 100 done'"));
  const Outcome out = harness.wait_for_end(key);
  EXPECT_EQ(out.state, TaskState::success);
  const AttemptLog log = harness.log(key);
  ASSERT_FALSE(log.progress.empty());
  EXPECT_DOUBLE_EQ(log.progress.back().percent, 100);
  EXPECT_EQ(log.progress.back().message, "done");
  // Two at the ends, and one per interval in between.
  EXPECT_LE(log.progress.size(), 2 + out.usage.wall_us / 1000 / limits::kProgressIntervalMs + 2);
}

class ResidualParser final : public OutputParser {
 public:
  void read(LogStream stream, std::string_view line, ParsedLine& out) override {
    constexpr std::string_view kKey = "residual=";
    if (stream != LogStream::out || !line.starts_with(kKey)) return;
    out.metrics.emplace_back("residual", std::stod(std::string(line.substr(kKey.size()))));
  }
};

TEST(ToolProgress, TheToolsOwnParserIsAsked) {
  ExecutorHarness harness;
  RunPlan plan = ExecutorHarness::shell(
      "echo residual=0.5; echo residual=9 >&2; echo taskpipe-progress 50 half; echo residual=0.25");
  plan.parser = std::make_unique<ResidualParser>();
  const AttemptKey key = harness.start(std::move(plan));
  const RunReport report = report_of(harness.wait_for_end(key));
  EXPECT_THAT(report.metrics, ElementsAre(Pair("residual", 0.25)));
  const AttemptLog log = harness.log(key);
  ASSERT_FALSE(log.progress.empty());
  EXPECT_THAT(log.progress.back().metrics, ElementsAre(Pair("residual", 0.25)));
}

TEST(LiveOutput, ArrivesWhileTheToolRuns) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::probe("polite"));
  ASSERT_TRUE(harness.wait_for_output(key, "ready\n"));
  EXPECT_TRUE(harness.log(key).ended.empty());
  harness.executor().stop(key, StopCause::cancelled, Millis(0));
  harness.wait_for_end(key);
}

TEST(LiveOutput, OffsetsJoinForAQuietTool) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(
      ExecutorHarness::shell("for i in 1 2 3 4 5 6 7 8 9; do echo line $i; sleep 0.03; done"));
  const RunReport report = report_of(harness.wait_for_end(key));
  const AttemptLog log = harness.log(key);
  EXPECT_EQ(log.gaps, 0);
  EXPECT_EQ(log.output.at(LogStream::out), report.stdout_tail);
}

}  // namespace
}  // namespace taskpipe::worker
