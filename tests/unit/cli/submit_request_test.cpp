#include "client/cli/submit_request.hpp"

#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_folder.hpp"

namespace taskpipe::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SubmitRequest : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  Error refusal() {
    const auto request = make_request("lammps", "in.melt", options);
    EXPECT_FALSE(request.has_value());
    return request ? Error{} : request.error();
  }

  SubmitOptions options;

 private:
  testing::TemporaryFolder folder_;
};

TEST_F(SubmitRequest, TakesEveryOptionOver) {
  options.params = {"steps=10"};
  options.params_file = file("p.json", R"({"steps": 5, "cell": [1, 2]})");
  options.priority = -2;
  options.cpus = 3;
  options.gpus = 1;
  options.memory_bytes = 1024;
  options.resources = {"license=2"};
  options.run_time = Millis(30'000);
  options.grace = Millis(100);
  options.labels = {"a=b"};
  options.wait_for_capacity = true;
  options.retry.retries = 2;
  options.retry.retry_on = "exit, oom";
  options.retry.backoff = Millis(50);
  options.retry.max_backoff = Millis(5000);
  options.retry.worker_losses = 0;
  options.retry.queue_time = Millis(600'000);
  options.retry.no_progress = Millis(9000);
  const auto request = make_request("lammps", "in.melt", options);
  ASSERT_TRUE(request.has_value()) << request.error().text;
  EXPECT_EQ(request->tool, "lammps");
  EXPECT_EQ(request->script, "in.melt");
  EXPECT_EQ(to_json_text(Value(request->params)), R"({"cell":[1,2],"steps":10})");
  EXPECT_EQ(request->priority, -2);
  EXPECT_EQ(request->resources, (Resources{3, 1, 1024, {{"license", 2}}}));
  EXPECT_EQ(request->limits, (TaskLimits{30'000, 100, 600'000, 9000}));
  EXPECT_THAT(request->labels, ElementsAre(Label{"a", "b"}));
  EXPECT_TRUE(request->wait_for_capacity);
  RetryPolicy policy;
  policy.max_attempts = 3;
  policy.failures = failure_bit(FailureClass::exit) | failure_bit(FailureClass::oom);
  policy.backoff_ms = 50;
  policy.max_backoff_ms = 5000;
  policy.max_worker_losses = 0;
  EXPECT_EQ(request->retry, policy);
}

TEST_F(SubmitRequest, WithoutRetriesTheFirstFailureIsFinal) {
  const auto request = make_request("lammps", "in.melt", options);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->retry, RetryPolicy{});
  EXPECT_EQ(request->limits, TaskLimits{});
}

TEST_F(SubmitRequest, AFirstWaitBeyondTheUsualLongestOneRaisesIt) {
  options.retry.retries = 1;
  options.retry.backoff = Millis(300'000);
  const auto request = make_request("lammps", "in.melt", options);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->retry.max_backoff_ms, 300'000U);
  options.retry.max_backoff = Millis(60'000);
  EXPECT_EQ(refusal().field, "backoff");
}

TEST_F(SubmitRequest, MistakesInThePolicyNameTheirOption) {
  options.retry.retry_on = "exit";
  EXPECT_EQ(refusal().field, "retry-on");
  EXPECT_THAT(refusal().text, HasSubstr("--retries N"));
  options.retry.retries = 1;
  options.retry.retry_on = "exit,worker_lost";
  EXPECT_EQ(refusal().field, "retry-on");
  EXPECT_THAT(refusal().text, HasSubstr("'worker_lost' is no class"));
  options.retry.retry_on = "exit,";
  EXPECT_EQ(refusal().field, "retry-on");
}

TEST_F(SubmitRequest, AScriptFileTravelsUnderItsName) {
  options.script_file = file("mine.py", "print(1)\n");
  auto request = make_request("fenicsx", "", options);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->script, "mine.py");
  EXPECT_EQ(request->inline_script, "print(1)\n");
  request = make_request("fenicsx", "other.py", options);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->script, "other.py");
}

TEST_F(SubmitRequest, FilesThatCannotServeAreNamed) {
  options.params_file = "no/such/file.json";
  EXPECT_THAT(refusal().text, HasSubstr("no/such/file.json"));
  options.params_file = file("list.json", "[1]");
  EXPECT_THAT(refusal().text, HasSubstr("must be a map"));
  options.params_file = file("broken.json", "{\"a\": }");
  EXPECT_THAT(refusal().text, HasSubstr("line 1, column 7"));
  EXPECT_EQ(refusal().field, "params");
  options.params_file.clear();
  options.script_file = file("empty.py", "");
  EXPECT_THAT(refusal().text, HasSubstr("empty"));
  options.script_file = "/";  // a folder
  EXPECT_EQ(refusal().field, "script");
}

TEST_F(SubmitRequest, AHugeFileIsRefusedBeforeItIsParsed) {
  options.params_file = "/dev/zero";
  EXPECT_EQ(refusal().code, ErrorCode::too_big);
}

TEST_F(SubmitRequest, MistakesInAssignmentsAreNamed) {
  options.params = {"steps"};
  EXPECT_EQ(refusal().field, "params");
  options.params.clear();
  options.labels = {"x"};
  EXPECT_EQ(refusal().field, "labels");
  options.labels.clear();
  options.resources = {"x=y"};
  EXPECT_EQ(refusal().field, "resources.x");
  options.resources = {"x=1", "x=2"};
  EXPECT_THAT(refusal().text, HasSubstr("--resource x is given twice"));
}

TEST_F(SubmitRequest, StandardInputServesOnce) {
  options.params_file = "-";
  options.script_file = "-";
  EXPECT_THAT(refusal().text, HasSubstr("both"));
}

TEST_F(SubmitRequest, NamesAreText) {
  EXPECT_FALSE(make_request("lam\xff", "", options).has_value());
  EXPECT_FALSE(make_request("lammps", "\xff", options).has_value());
}

}  // namespace
}  // namespace taskpipe::cli
