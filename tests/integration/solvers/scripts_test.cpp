#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "tests/integration/solvers/solver_fixture.hpp"

namespace taskpipe::worker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Scripts : public SolverTest {};

TEST_F(Scripts, BashSaysHello) {
  if (!have("shell")) GTEST_SKIP();
  const auto run =
      this->run("shell", "hello.sh", {{"name", "the $(world)"}, {"steps", 4}, {"pause", 0}});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.percents, ElementsAre(25, 50, 75, 100));
  EXPECT_EQ(text_of("greeting.txt"), "hello, the $(world)\n");
  EXPECT_THAT(run.out, HasSubstr("task test in " + directory().string()));
  EXPECT_EQ(this->run("shell", "hello.sh", {{"steps", "1; rm"}}).exit_code, 2);
}

TEST_F(Scripts, BashRunsAnInlineScriptWithParamsAsJson) {
  if (!have("shell")) GTEST_SKIP();
  const auto run = this->run("shell", "mine.sh", {{"n", 3}}, 1, "cat params.json; exit \"$SIM_N\"");
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_EQ(run.out, "{\"n\":3}\n");
}

TEST_F(Scripts, PythonEstimatesPi) {
  if (!have("python")) GTEST_SKIP();
  const auto run = this->run("python", "pi.py", {{"samples", 400'000}, {"seed", 7}});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.distinct_percents(), 20U);
  const double error = run.metrics.at("standard_error").at(0);
  EXPECT_NEAR(error, 4 * std::sqrt(0.7854 * 0.2146 / 400'000), 1e-4);
  EXPECT_NEAR(run.metrics.at("estimate").at(0), 3.14159265, 4 * error);
  EXPECT_NEAR(json_of("result.json").at("pi").get<double>(), 3.14159265, 4 * error);
  const auto bad = this->run("python", "pi.py", {{"samples", -1}});
  EXPECT_NE(bad.exit_code, 0);
  EXPECT_THAT(bad.err, HasSubstr("SIM_SAMPLES"));
}

}  // namespace
}  // namespace taskpipe::worker
