#include "worker/exec/generic_progress.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace taskpipe::worker {
namespace {

TEST(GenericProgress, ReadsPercentAndMessage) {
  ParsedLine out;
  ASSERT_TRUE(read_generic_progress("taskpipe-progress 42.5 meshing the wing ", out));
  EXPECT_DOUBLE_EQ(out.percent, 42.5);
  EXPECT_EQ(out.message, "meshing the wing");
}

TEST(GenericProgress, TakesThePercentSignAndTabs) {
  ParsedLine out;
  ASSERT_TRUE(read_generic_progress("taskpipe-progress\t7%\tx", out));
  EXPECT_DOUBLE_EQ(out.percent, 7);
  EXPECT_EQ(out.message, "x");
}

TEST(GenericProgress, NeedsNoMessage) {
  ParsedLine out;
  out.message = "old";
  ASSERT_TRUE(read_generic_progress("taskpipe-progress 100", out));
  EXPECT_DOUBLE_EQ(out.percent, 100);
  EXPECT_EQ(out.message, "");
}

TEST(GenericProgress, LeavesEverythingElseAlone) {
  for (const char* line :
       {"", "taskpipe-progress", "taskpipe-progress ", "taskpipe-progress42",
        " taskpipe-progress 1", "taskpipe-progress x", "taskpipe-progress -1",
        "taskpipe-progress 100.1", "taskpipe-progress nan", "taskpipe-progress inf",
        "taskpipe-progress 1x", "taskpipe-progress 1e999", "step 5"}) {
    ParsedLine out;
    EXPECT_FALSE(read_generic_progress(line, out)) << line;
    EXPECT_LT(out.percent, 0) << line;
  }
}

class Recorder final : public OutputParser {
 public:
  void read(LogStream, std::string_view line, ParsedLine& out) override { out.message = line; }
};

TEST(GenericProgress, LeavesOtherLinesToTheToolsParser) {
  GenericProgressParser parser(std::make_unique<Recorder>());
  ParsedLine out;
  parser.read(LogStream::err, "Step 10", out);
  EXPECT_EQ(out.message, "Step 10");
  parser.read(LogStream::out, "taskpipe-progress 5 go", out);
  EXPECT_EQ(out.message, "go");
}

TEST(GenericProgress, WorksWithoutAToolsParser) {
  GenericProgressParser parser(nullptr);
  ParsedLine out;
  parser.read(LogStream::out, "Step 10", out);
  EXPECT_TRUE(out.message.empty());
  parser.read(LogStream::out, "taskpipe-progress 5", out);
  EXPECT_DOUBLE_EQ(out.percent, 5);
}

}  // namespace
}  // namespace taskpipe::worker
