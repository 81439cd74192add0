#include "worker/core/admission.hpp"

#include <memory>

#include <gtest/gtest.h>

#include "tests/unit/worker_core/worker_fixture.hpp"

namespace taskpipe::worker {
namespace {

class AdmissionTest : public ::testing::Test {
 protected:
  Error refusal(const TaskSpec& spec) {
    const auto verdict = admission_.judge(spec);
    return verdict.refusal.value_or(Error{});
  }
  static TaskSpec tool(std::string name, std::string script = "") {
    TaskSpec spec;
    spec.tool = std::move(name);
    spec.script = std::move(script);
    return spec;
  }
  Admission admission_{testing::test_config()};
};

TEST_F(AdmissionTest, TakesWhatItOffers) {
  EXPECT_EQ(refusal(tool("shell")), Error{});
  EXPECT_EQ(refusal(tool("solver", "cavity")), Error{});
  EXPECT_EQ(refusal(tool("noop")), Error{});
  EXPECT_EQ(refusal(tool("noop", "any name")), Error{});
  EXPECT_EQ(admission_.judge(tool("noop")).kind, AttemptKind::handler);
  EXPECT_EQ(admission_.judge(tool("shell")).kind, AttemptKind::process);
}

TEST_F(AdmissionTest, NamesToolAndRemedy) {
  const Error error = refusal(tool("fluent"));
  EXPECT_EQ(error.code, ErrorCode::invalid);
  EXPECT_EQ(error.field, "tool");
  EXPECT_NE(error.text.find("fluent"), std::string::npos);
  EXPECT_NE(error.text.find("shell, solver, noop"), std::string::npos);
}

TEST_F(AdmissionTest, ChecksScripts) {
  EXPECT_EQ(refusal(tool("solver")).field, "script");
  EXPECT_EQ(refusal(tool("solver", "pipe")).field, "script");
  TaskSpec travelling = tool("solver", "mine");
  travelling.inline_script = Payload(std::string_view("x"));
  EXPECT_EQ(refusal(travelling).field, "inline_script");
  travelling.tool = "shell";
  EXPECT_EQ(refusal(travelling), Error{});
}

TEST_F(AdmissionTest, AListOfScriptsThatWasCutDecidesNothing) {
  WorkerConfig config = testing::test_config();
  for (std::size_t i = 1; i < limits::kMaxScriptsPerTool; ++i) {
    config.tools[1].offer.scripts.push_back({"s" + std::to_string(i), std::string(64, '0')});
  }
  const Admission admission(config);
  EXPECT_FALSE(admission.judge(tool("solver", "beyond the cut")).refusal);
}

TEST_F(AdmissionTest, NamesTheResourceItNeverHas) {
  TaskSpec big = tool("shell");
  big.resources.cpus = 5;
  EXPECT_EQ(refusal(big).code, ErrorCode::unsatisfiable);
  EXPECT_EQ(refusal(big).field, "cpus");
  big.resources.cpus = 4;
  big.resources.named = {{"license", 3}};
  EXPECT_EQ(refusal(big).field, "license");
  big.tool = "noop";
  EXPECT_EQ(refusal(big).field, "license");
}

TEST_F(AdmissionTest, RunsOnlyWhatIsPlacedHere) {
  const Placement here{testing::test_config().uuid};
  const Placement elsewhere{PeerUuid(1, 1)};
  EXPECT_FALSE(admission_.check_placements({}));
  EXPECT_FALSE(admission_.check_placements({here}));
  EXPECT_EQ(admission_.check_placements({elsewhere})->field, "placements");
  EXPECT_EQ(admission_.check_placements({here, elsewhere})->code, ErrorCode::unsupported);
}

}  // namespace
}  // namespace taskpipe::worker
