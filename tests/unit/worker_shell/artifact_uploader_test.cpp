#include "worker/shell/artifact_uploader.hpp"

#include <gtest/gtest.h>

#include "common/process/sha256.hpp"

namespace taskpipe::worker {
namespace {

RunReport report() {
  RunReport report;
  report.stdout_tail = "short";
  report.stderr_tail = "the end of a long one";
  const std::string other = process::sha256_hex("another content");
  report.artifacts = {{"a.dump", "/work/a.dump", 7, other},
                      {"empty", "/work/empty", 0, process::sha256_hex("")},
                      {"huge", "/work/huge", 1ULL << 40U, ""},
                      {"stderr.log", "/work/stderr.log", 100'000, other},
                      {"stdout.log", "/work/stdout.log", 5, process::sha256_hex("short")}};
  return report;
}

TEST(MarkArtifacts, OnlyWhatTheClientCannotHaveOtherwiseIsUploaded) {
  RunReport marked = report();
  EXPECT_EQ(mark_artifacts(marked, ""), (std::vector<std::size_t>{0, 3}));
  EXPECT_TRUE(marked.artifacts[1].problem.empty());
  EXPECT_FALSE(marked.artifacts[2].problem.empty()) << "it has no hash to be found by";
  EXPECT_TRUE(marked.artifacts[4].problem.empty());
}

TEST(MarkArtifacts, ALogIsInTheReportOnlyByteForByte) {
  RunReport marked = report();
  marked.stdout_tail = "shor?";  // of the same length: an invalid byte was replaced
  EXPECT_EQ(mark_artifacts(marked, ""), (std::vector<std::size_t>{0, 3, 4}));
}

TEST(MarkArtifacts, WhatIsSharedIsNotUploaded) {
  RunReport marked = report();
  EXPECT_TRUE(mark_artifacts(marked, "/work").empty());
  EXPECT_TRUE(marked.artifacts[0].shared);
  EXPECT_TRUE(marked.artifacts[2].shared) << "also without a hash";
  marked = report();
  EXPECT_EQ(mark_artifacts(marked, "/wo").size(), 2U) << "another folder of that beginning";
}

// Without a context nothing can be uploaded, and nothing may be held.
TEST(ArtifactUploader, HandsBackAtOnceWhileItIsClosed) {
  process::Logger logger({"test", process::LogLevel::error, process::LogFormat::text, ""});
  ArtifactUploader uploader({Millis(1000), ""}, logger);
  FinishJob job;
  job.report = report();
  bool done = false;
  uploader.keep(job, [&](FinishJob kept) {
    done = true;
    EXPECT_FALSE(kept.report.artifacts[0].stored);
    EXPECT_FALSE(kept.report.artifacts[0].problem.empty());
    EXPECT_TRUE(kept.report.artifacts[4].problem.empty());
  });
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace taskpipe::worker
