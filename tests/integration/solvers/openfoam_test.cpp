#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/integration/solvers/solver_fixture.hpp"

namespace taskpipe::worker {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Openfoam : public SolverTest {};

// Ghia, Ghia and Shin (1982): the least horizontal velocity on the vertical centre line.
constexpr double kGhiaVelocity = -0.21090;
constexpr double kGhiaHeight = 0.4531;

TEST_F(Openfoam, CavityAgreesWithTheReference) {
  if (!have("openfoam")) GTEST_SKIP();
  const auto run = this->run("openfoam", "example_cavity.py", {{"n", 32}, {"end_time", 20.0}});
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  const auto result = json_of("result.json");
  EXPECT_NEAR(result.at("u_min").get<double>(), kGhiaVelocity, 0.005);
  EXPECT_NEAR(result.at("y_min").get<double>(), kGhiaHeight, 1.0 / 32);
  EXPECT_NEAR(run.metrics.at("centre_line_velocity_min").at(0), kGhiaVelocity, 0.005);
  EXPECT_THAT(text_of("centreline.csv"), StartsWith("y,u\n0.015625,"));
  EXPECT_EQ(run.err, "");
}

TEST_F(Openfoam, ResidualsFallAndProgressReachesTheEnd) {
  if (!have("openfoam")) GTEST_SKIP();
  const auto run = this->run("openfoam", "example_cavity.py", {{"n", 16}, {"end_time", 10}});
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_TRUE(std::is_sorted(run.percents.begin(), run.percents.end()));
  EXPECT_GE(run.distinct_percents(), 100U);
  EXPECT_DOUBLE_EQ(run.percents.back(), 100.0);
  for (const char* name : {"residual_Ux", "residual_Uy", "residual_p"}) {
    const auto& residuals = run.metrics.at(name);
    ASSERT_EQ(residuals.size(), 320U) << name;  // one per time step
    EXPECT_LT(residuals.back(), 1e-4) << name;
    EXPECT_GT(*std::max_element(residuals.begin(), residuals.end()), 0.1) << name;
  }
  const auto& courant = run.metrics.at("courant_max");
  EXPECT_LE(*std::max_element(courant.begin(), courant.end()), 0.5);
  EXPECT_LT(run.metrics.at("continuity_error").back(), 1e-6);
}

TEST_F(Openfoam, DecomposesForTwoProcesses) {
  if (!have("openfoam")) GTEST_SKIP();
  const ValueMap params = {{"n", 16}, {"end_time", 5}};
  ASSERT_EQ(run("openfoam", "example_cavity.py", params).exit_code, 0);
  const double serial = json_of("result.json").at("u_min").get<double>();
  const auto run = this->run("openfoam", "example_cavity.py", params, 2);
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_EQ(json_of("result.json").at("processes"), 2);
  EXPECT_NEAR(json_of("result.json").at("u_min").get<double>(), serial, 1e-5);
  EXPECT_GE(run.distinct_percents(), 100U);
}

TEST_F(Openfoam, RunsAnInlineBashScriptInTheSolversEnvironment) {
  if (!have("openfoam")) GTEST_SKIP();
  const auto run = this->run("openfoam", "version.sh", {}, 1, "echo \"got $WM_PROJECT_VERSION\"\n");
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, StartsWith("got "));
  EXPECT_GT(run.out.size(), std::string("got \n").size());
}

TEST_F(Openfoam, PassesOnTheSolversFailure) {
  if (!have("openfoam")) GTEST_SKIP();
  const auto run = this->run("openfoam", "empty.sh", {}, 1, "icoFoam\n");
  EXPECT_NE(run.exit_code, 0);
  EXPECT_THAT(run.out + run.err, HasSubstr("controlDict"));
  const auto bad = this->run("openfoam", "example_cavity.py", {{"n", 3}});
  EXPECT_NE(bad.exit_code, 0);
  EXPECT_THAT(bad.err, HasSubstr("SIM_N='3'"));
}

}  // namespace
}  // namespace taskpipe::worker
