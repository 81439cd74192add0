// What an attempt leaves behind.
#include <chrono>
#include <filesystem>
#include <string>
#include <utility>

#include "tests/integration/exec/executor_harness.hpp"
#include "worker/exec/attempt_directory.hpp"

namespace taskpipe::worker {
namespace {

using ::testing::IsEmpty;

TEST(Report, NamesNodeFolderAndArtifacts) {
  ExecutorHarness harness;
  RunPlan plan = ExecutorHarness::shell("printf abc > a.dat; mkdir d; printf x > d/b.vtk; echo hi");
  plan.artifact_globs = {"*.dat", "**/*.vtk"};
  const AttemptKey key = harness.start(std::move(plan));
  const RunReport report = report_of(harness.wait_for_end(key));
  EXPECT_EQ(report.node, "testnode");
  EXPECT_EQ(report.directory, harness.directory_of(key));
  ASSERT_EQ(report.artifacts.size(), 3U);
  const Artifact* data = find_artifact(report, "a.dat");
  ASSERT_NE(data, nullptr);
  EXPECT_EQ(data->size_bytes, 3U);
  EXPECT_EQ(data->path, report.directory + "/a.dat");
  EXPECT_EQ(data->sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_NE(find_artifact(report, "d/b.vtk"), nullptr);
  EXPECT_NE(find_artifact(report, "stdout.log"), nullptr);
}

TEST(Report, ComesWithAFailureToo) {
  ExecutorHarness harness;
  RunPlan plan = ExecutorHarness::shell("echo broken >&2; echo x > core.dat; exit 1");
  plan.artifact_globs = {"*.dat"};
  const RunReport report = report_of(harness.run(std::move(plan)));
  EXPECT_EQ(report.stderr_tail, "broken\n");
  EXPECT_NE(find_artifact(report, "core.dat"), nullptr);
}

TEST(Report, LinksLeadNowhere) {
  ExecutorHarness harness;
  RunPlan plan = ExecutorHarness::shell("ln -s /etc/passwd p.dat; ln -s / root");
  plan.artifact_globs = {"*.dat", "root/**", "../**", "/etc/*"};
  EXPECT_THAT(report_of(harness.run(std::move(plan))).artifacts, IsEmpty());
}

TEST(Report, ALargeArtifactDoesNotStallOthers) {
  ExecutorHarness harness;
  constexpr std::uint64_t kBytes = 1ULL << 30U;
  RunPlan plan = ExecutorHarness::shell("truncate -s " + std::to_string(kBytes) + " big.dat");
  plan.artifact_globs = {"*.dat"};
  const AttemptKey large = harness.start(std::move(plan));
  ASSERT_TRUE(harness.wait_until(large, [](const AttemptLog& log) { return log.started == 1; }));
  int passed = 0;
  while (harness.log(large).ended.empty()) {
    RunPlan small = ExecutorHarness::shell("echo x > small.dat");
    small.artifact_globs = {"*.dat"};
    ASSERT_EQ(report_of(harness.run(std::move(small))).artifacts.size(), 1U);
    ++passed;
  }
  EXPECT_GE(passed, 2);
  const RunReport report = report_of(harness.wait_for_end(large));
  ASSERT_EQ(report.artifacts.size(), 1U);
  EXPECT_EQ(report.artifacts[0].size_bytes, kBytes);
  EXPECT_EQ(report.artifacts[0].sha256,
            "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14");
}

TEST(Report, FitsItsBoundWithAThousandLongNames) {
  ExecutorHarness harness;
  RunPlan plan = ExecutorHarness::shell(
      "d=$(printf '%0200d' 0); mkdir -p $d/$d/$d; i=0; while [ $i -lt 1100 ]; do "
      ": > $d/$d/$d/$i$d.dat; i=$((i + 1)); done");
  plan.artifact_globs = {"**/*.dat"};
  const RunReport report = report_of(harness.run(std::move(plan)));
  EXPECT_GE(report.artifacts.size(), 250U);
  EXPECT_LE(report.artifacts.size(), 1000U);
}

TEST(Report, TheFolderMayBeSweptOnceTheAttemptHasEnded) {
  ExecutorHarness harness;
  const AttemptKey live = harness.start(ExecutorHarness::probe("linger"));
  ASSERT_TRUE(harness.wait_for_output(live, "ready"));
  const AttemptKey done = harness.start(ExecutorHarness::probe("exit", "0"));
  harness.wait_for_end(done);
  EXPECT_EQ(sweep_attempts(harness.root(), 0, std::chrono::seconds(0)).removed, 1U);
  EXPECT_TRUE(std::filesystem::exists(harness.directory_of(live)));
  EXPECT_FALSE(std::filesystem::exists(harness.directory_of(done)));
}

}  // namespace
}  // namespace taskpipe::worker
