#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/integration/solvers/solver_fixture.hpp"

namespace taskpipe::worker {
namespace {

using testing::Gt;
using testing::HasSubstr;
using testing::SizeIs;

class Lammps : public SolverTest {};

const ValueMap kSmall = {{"size", 6}, {"steps", 400}, {"equilibrate", 100}, {"temperature", 0.9}};

TEST_F(Lammps, ConservesEnergyInTheMeasuredRun) {
  if (!have("lammps")) GTEST_SKIP();
  const auto run = this->run("lammps", "example.lammps", kSmall);
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("atoms = 864"));
  // Rows of both runs: every 10 steps, and the first of each.
  const auto& energy = run.metrics.at("total_energy");
  ASSERT_THAT(energy, SizeIs(11 + 41));
  const std::vector<double> measured(energy.begin() + 11, energy.end());
  // The shifted potential and this time step conserve energy to a few parts in 100,000.
  const auto [low, high] = std::minmax_element(measured.begin(), measured.end());
  EXPECT_LT(*high - *low, 2e-4 * -*low) << *low << " to " << *high;
  EXPECT_LT(run.metrics.at("energy_drift").at(0), 1e-4);
  // The thermostat changed it before that, towards the set temperature.
  EXPECT_GT(measured.front() - energy.front(), 0.1);
  EXPECT_NEAR(run.metrics.at("temperature").at(11), 0.9, 0.1);
}

TEST_F(Lammps, ReportsProgressOverBothRunsAndLeavesArtifacts) {
  if (!have("lammps")) GTEST_SKIP();
  const auto run = this->run("lammps", "example.lammps", kSmall);
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_TRUE(std::is_sorted(run.percents.begin(), run.percents.end()));
  EXPECT_GE(run.distinct_percents(), 40U);
  EXPECT_DOUBLE_EQ(run.percents.front(), 0.0);
  EXPECT_DOUBLE_EQ(run.percents.back(), 100.0);
  EXPECT_THAT(text_of("final.data"), HasSubstr("864 atoms"));
  EXPECT_THAT(text_of("trajectory.lammpstrj"), HasSubstr("ITEM: TIMESTEP\n100\n"));
  EXPECT_THAT(text_of("rdf.txt"), SizeIs(Gt(1000U)));
  EXPECT_THAT(text_of("log.lammps"), HasSubstr("Total wall time"));
}

TEST_F(Lammps, RunsOnTwoProcesses) {
  if (!have("lammps")) GTEST_SKIP();
  const auto run = this->run("lammps", "example.lammps", kSmall, 2);
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("on 2 procs for 400 steps"));
  EXPECT_DOUBLE_EQ(run.percents.back(), 100.0);
  EXPECT_LT(run.metrics.at("energy_drift").at(0), 1e-4);
}

constexpr const char* kInline = R"(
variable steps index 50
units lj
lattice fcc 0.8
region box block 0 3 0 3 0 3
create_box 1 box
create_atoms 1 box
mass 1 1.0
velocity all create 1.0 1
pair_style lj/cut 2.5
pair_coeff 1 1 1.0 1.0
fix 1 all nve
thermo 10
variable i loop 2
label again
run ${steps}
next i
jump SELF again
)";

TEST_F(Lammps, FollowsTheLoopOfAnInlineScript) {
  if (!have("lammps")) GTEST_SKIP();
  const auto run = this->run("lammps", "in.loop", {{"steps", 30}}, 1, kInline);
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  const std::vector<double> expected = {0, 100.0 / 6, 200.0 / 6, 50, 50, 400.0 / 6, 500.0 / 6, 100};
  EXPECT_THAT(run.percents, testing::Pointwise(testing::DoubleEq(), expected));
}

TEST_F(Lammps, FailsOnABrokenScript) {
  if (!have("lammps")) GTEST_SKIP();
  const auto run = this->run("lammps", "in.broken", {}, 1, "units lj\nnonsense 1\n");
  EXPECT_NE(run.exit_code, 0);
  EXPECT_THAT(run.out + run.err, HasSubstr("Unknown command: nonsense"));
}

}  // namespace
}  // namespace taskpipe::worker
