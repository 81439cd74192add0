// Short lives of the simulated cluster under each kind of trouble, and that a seed repeats exactly:
// what fits a build with sanitizers. Long ones: `./run simulate --seed N --hours H`; seeds that
// once failed: regressions.txt.
#include "tests/simulation/simulation.hpp"

#include <gtest/gtest.h>

namespace taskpipe::simulation {
namespace {

using namespace std::chrono_literals;

Options life(std::uint64_t seed, Weather weather, Millis duration = 20s) {
  Options options;
  options.seed = seed;
  options.duration = duration;
  options.weather = weather;
  return options;
}

void expect_kept(const Report& report, std::uint64_t seed) {
  for (const auto& violation : report.violations) {
    ADD_FAILURE() << "seed " << seed << ", " << name_of(report.weather) << ": " << violation;
  }
  EXPECT_GT(report.acknowledged, 0U);
  EXPECT_EQ(report.ended, report.acknowledged);
}

class EachWeather : public ::testing::TestWithParam<Weather> {};

TEST_P(EachWeather, KeepsThePromise) {
  constexpr std::uint64_t kSeed = 1;
  expect_kept(simulate(life(kSeed, GetParam())), kSeed);
}

INSTANTIATE_TEST_SUITE_P(Simulation, EachWeather,
                         ::testing::Values(Weather::calm, Weather::crashes, Weather::network,
                                           Weather::disk, Weather::pauses, Weather::relay,
                                           Weather::storm, Weather::poison),
                         [](const auto& weather) { return std::string(name_of(weather.param)); });

TEST(Simulation, ASeedRepeatsExactly) {
  const Report first = simulate(life(11, Weather::storm));
  const Report second = simulate(life(11, Weather::storm));
  EXPECT_EQ(first.fingerprint, second.fingerprint);
  EXPECT_EQ(first.events, second.events);
  EXPECT_NE(first.fingerprint, simulate(life(12, Weather::storm)).fingerprint);
}

}  // namespace
}  // namespace taskpipe::simulation
