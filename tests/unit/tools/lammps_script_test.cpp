#include "worker/tools/lammps_script.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/tools/temporary_folder.hpp"

namespace taskpipe::worker {
namespace {

using Steps = std::vector<std::optional<std::uint64_t>>;

struct Case {
  const char* script;
  ValueMap params;
  Steps steps;
  bool exact;
};

TEST(LammpsScript, CountsTheStepsOfEveryRun) {
  const std::vector<Case> cases = {
      {"run 1000", {}, {1000}, true},
      {"run 100\nrun 50 pre no post no\n", {}, {100, 50}, true},
      {"# run 5\nrun 7 # not 9\nprint \"run 3 # x\"\n", {}, {7}, true},
      {"run &\n  20\n", {}, {20}, true},
      {"&\n\nrun 5\n& # nothing\n&\n \t\n", {}, {5}, true},
      {"variable n index 300\nrun ${n}", {}, {300}, true},
      {"variable n index 300\nrun ${n}", {{"n", 40}}, {40}, true},
      {"variable n equal 300\nrun $n", {}, {300}, true},
      {"variable n string 12\nrun ${n}0", {}, {120}, true},
      {"variable a index 5\nvariable b equal 2*v_a+1\nrun ${b}", {}, {11}, true},
      {"variable a index 5\nvariable b equal \"(v_a + 1)^2 * 10\"\nrun $(v_b / 2)",
       {},
       {180},
       true},
      {"run $(ceil(10/4)*100:%.0f)", {}, {300}, true},
      {"run 100 upto\nrun 250 upto", {}, {100, 150}, true},
      {"reset_timestep 50\nrun 100 upto", {}, {50}, true},
      {"minimize 0 0 10 10\nrun 5", {}, {5}, true},
      {"run 0", {}, {0}, true},
      {"", {}, {}, true},
      // Not to be known before the simulation runs.
      {"minimize 0 0 10 10\nrun 100 upto", {}, {std::nullopt}, false},
      {"variable n equal temp*10\nrun ${n}\nrun 5", {}, {std::nullopt, 5}, false},
      {"run ${absent}", {}, {std::nullopt}, false},
      {"if \"${x} > 1\" then \"run 10\"\nrun 5", {}, {5}, false},
      {"include other.in\nrun 5", {}, {5}, false},
      {"run -5", {}, {std::nullopt}, false},
      {"run 2.5", {}, {std::nullopt}, false},
      {"run", {}, {std::nullopt}, false},
      {"run 1e300", {}, {std::nullopt}, false},
  };
  for (const auto& item : cases) {
    const auto runs = analyse_lammps_script(item.script, item.params);
    EXPECT_EQ(runs.steps, item.steps) << item.script;
    EXPECT_EQ(runs.exact, item.exact) << item.script;
  }
}

TEST(LammpsScript, FollowsLoops) {
  const auto loop = analyse_lammps_script(
      "variable i loop 3\nlabel top\nrun 10\nnext i\njump SELF top\nrun 5\n", {});
  EXPECT_EQ(loop.steps, (Steps{10, 10, 10, 5}));
  EXPECT_TRUE(loop.exact);

  const auto index = analyse_lammps_script(
      "variable n index 1 20 300\nlabel top\nrun ${n}\nnext n\njump SELF top\n", {});
  EXPECT_EQ(index.steps, (Steps{1, 20, 300}));
  EXPECT_EQ(index.known_total(), 321U);

  const auto range =
      analyse_lammps_script("variable i loop 4 6\nlabel a\nrun ${i}\nnext i\njump SELF a\n", {});
  EXPECT_EQ(range.steps, (Steps{4, 5, 6}));
}

TEST(LammpsScript, GivesUpOnJumpsElsewhere) {
  EXPECT_FALSE(analyse_lammps_script("run 1\njump other.in", {}).exact);
  EXPECT_FALSE(analyse_lammps_script("run 1\njump SELF absent", {}).exact);
  EXPECT_FALSE(analyse_lammps_script("next absent\nrun 1", {}).exact);
}

// Scripts come with tasks. Each of these would take very long if followed to its end.
TEST(LammpsScript, IsBoundedOnScriptsMadeToKeepItBusy) {
  EXPECT_FALSE(analyse_lammps_script("label top\nrun 1\njump SELF top\n", {}).exact);

  std::string doubling = "variable a string xx\n";
  for (int i = 0; i < 100; ++i) doubling += "variable a string ${a}${a}\n";
  EXPECT_FALSE(analyse_lammps_script(doubling + "run ${a}\n", {}).exact);

  std::string formulas = "variable v0 equal 1\n";
  for (int i = 1; i < 16; ++i) {
    formulas += "variable v" + std::to_string(i) + " equal 0";
    for (int j = 0; j < 50; ++j) formulas += "+v_v" + std::to_string(i - 1);
    formulas += "\n";
  }
  EXPECT_FALSE(analyse_lammps_script(formulas + "run ${v15}\n", {}).exact);

  EXPECT_FALSE(
      analyse_lammps_script("variable a equal v_b\nvariable b equal v_a\nrun ${a}", {}).exact);
  EXPECT_FALSE(analyse_lammps_script("run $(" + std::string(100'000, '(') + ")", {}).exact);
  EXPECT_FALSE(analyse_lammps_script("run $(" + std::string(100'000, '-') + "1)", {}).exact);
  EXPECT_FALSE(analyse_lammps_script(std::string(1'000'000, '\n'), {}).exact);
  EXPECT_TRUE(analyse_lammps_script(std::string(200'000, '$'), {}).steps.empty());
  EXPECT_TRUE(analyse_lammps_script(std::string("\0\xff\"'${$(", 8), {}).steps.empty());
}

TEST(LammpsScript, UnderstandsTheShippedExample) {
  const std::string script =
      read_text(std::string(TASKPIPE_TOOLBOX_DIR) + "/scripts/lammps/example.lammps");
  const auto defaults = analyse_lammps_script(script, {});
  EXPECT_EQ(defaults.steps, (Steps{200, 1000}));
  EXPECT_TRUE(defaults.exact);
  const auto given = analyse_lammps_script(script, {{"steps", 500}, {"equilibrate", 0}});
  EXPECT_EQ(given.steps, (Steps{0, 500}));
}

}  // namespace
}  // namespace taskpipe::worker
