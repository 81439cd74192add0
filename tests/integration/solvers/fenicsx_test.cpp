#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>

#include "tests/integration/solvers/solver_fixture.hpp"

namespace taskpipe::worker {
namespace {

using testing::HasSubstr;

class Fenicsx : public SolverTest {};

TEST_F(Fenicsx, ErrorFallsWithTheSquareOfTheCellSize) {
  if (!have("fenicsx")) GTEST_SKIP();
  double coarser = 0.0;
  for (const int mesh_size : {8, 16, 32}) {
    const auto run = this->run("fenicsx", "poisson.py", {{"mesh_size", mesh_size}});
    ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
    EXPECT_TRUE(std::is_sorted(run.percents.begin(), run.percents.end()));
    EXPECT_GE(run.distinct_percents(), 5U);
    EXPECT_DOUBLE_EQ(run.percents.back(), 100.0);
    const double error = json_of("result.json").at("l2_error").get<double>();
    EXPECT_NEAR(run.metrics.at("l2_error").at(0), error, 1e-6 * error);
    EXPECT_DOUBLE_EQ(run.metrics.at("dofs").at(0), (mesh_size + 1.0) * (mesh_size + 1.0));
    EXPECT_THAT(text_of("solution.xdmf"), HasSubstr("solution.h5"));
    EXPECT_GT(std::filesystem::file_size(directory() / "solution.h5"), 1000U);
    if (coarser > 0.0) {
      EXPECT_NEAR(std::log2(coarser / error), 2.0, 0.1) << "from " << coarser << " to " << error;
    }
    coarser = error;
  }
  // The error of linear interpolation of this solution, as other codes find it too.
  EXPECT_NEAR(coarser, 1.35e-3, 0.02e-3);
}

TEST_F(Fenicsx, QuadraticElementsConvergeByTheThirdPower) {
  if (!have("fenicsx")) GTEST_SKIP();
  ASSERT_EQ(run("fenicsx", "poisson.py", {{"mesh_size", 8}, {"degree", 2}}).exit_code, 0);
  const double coarse = json_of("result.json").at("l2_error").get<double>();
  ASSERT_EQ(run("fenicsx", "poisson.py", {{"mesh_size", 16}, {"degree", 2}}).exit_code, 0);
  const double fine = json_of("result.json").at("l2_error").get<double>();
  EXPECT_NEAR(std::log2(coarse / fine), 3.0, 0.1);
}

TEST_F(Fenicsx, SolvesTheSameOnTwoProcesses) {
  if (!have("fenicsx")) GTEST_SKIP();
  ASSERT_EQ(run("fenicsx", "poisson.py").exit_code, 0);
  const auto serial = json_of("result.json");
  const auto run = this->run("fenicsx", "poisson.py", {}, 2);
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  const auto parallel = json_of("result.json");
  EXPECT_EQ(parallel.at("processes"), 2);
  EXPECT_EQ(parallel.at("dofs"), serial.at("dofs"));
  EXPECT_NEAR(parallel.at("l2_error").get<double>(), serial.at("l2_error").get<double>(), 1e-8);
  EXPECT_GE(run.distinct_percents(), 5U);
}

TEST_F(Fenicsx, RefusesBadParametersBeforeItStarts) {
  if (!have("fenicsx")) GTEST_SKIP();
  for (const Value& bad : {Value("many"), Value(0), Value(1e9), Value(ValueList{1})}) {
    const auto run = this->run("fenicsx", "poisson.py", {{"mesh_size", bad}});
    EXPECT_GT(run.exit_code, 0);
    EXPECT_THAT(run.err, HasSubstr("SIM_MESH_SIZE"));
    EXPECT_TRUE(run.percents.empty());
  }
}

// A run that dies while it compiles leaves a mark in the cache that all runs share; the form
// compiler alone would make every later run wait for it and then fail.
TEST_F(Fenicsx, SurvivesWhatAKilledRunLeftInTheCache) {
  set_home(scratch() / "home");
  if (!have("fenicsx")) GTEST_SKIP();
  ASSERT_EQ(run("fenicsx", "poisson.py", {{"mesh_size", 4}}).exit_code, 0);
  std::size_t removed = 0;
  for (const auto& entry : std::filesystem::directory_iterator(scratch() / "home/.cache/fenics")) {
    if (entry.path().string().ends_with(".c.cached")) {
      removed += std::filesystem::remove(entry.path()) ? 1 : 0;
    }
  }
  ASSERT_GT(removed, 0U);
  const auto run = this->run("fenicsx", "poisson.py", {{"mesh_size", 4}});
  EXPECT_EQ(run.exit_code, 0) << run.err;
}

}  // namespace
}  // namespace taskpipe::worker
