#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "common/model/limits.hpp"
#include "tests/unit/tools/temporary_folder.hpp"
#include "worker/tools/tool.hpp"

namespace taskpipe::worker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kSolver = R"(
name = "solver"
artifacts = ["*.vtk"]
inherit = ["LICENSE_SERVER"]
[version]
text = "1"
[command]
argv = ["sh", "{script}", "{params}"]
params_as = ["{name}={value}"]
[mpi]
launcher = ["env", "NP={cpus}"]
[environment]
THREADS = "{cpus}"
WHERE = "{dir}"
LANG = "de_DE.UTF-8"
[scripts]
folders = ["scripts"]
patterns = ["*.sh"]
inline = true
[limits]
time_limit_s = 60
time_limit_max_s = 100
grace_s = 3
memory_mib = 1
)";

class ToolPlan : public testing::Test {
 protected:
  ToolPlan() { folder_.write("scripts/run.sh", "true\n"); }

  // A tool from the manifest text; the test fails when it cannot be offered.
  Tool make(const std::string& toml = kSolver, Environment worker = {}) {
    const auto file = folder_.write("tool.toml", toml);
    auto manifest = read_manifest(file);
    if (!manifest) throw std::runtime_error(manifest.error().text);
    worker.emplace("PATH", "/usr/bin:/bin");
    auto probed = Tool::probe(std::move(*manifest), worker);
    if (!probed) throw std::runtime_error(probed.error());
    return std::move(probed->tool);
  }

  static TaskSpec spec(const std::string& script = "run.sh") {
    TaskSpec spec;
    spec.tool = "solver";
    spec.script = script;
    return spec;
  }

  static std::map<std::string, std::string> environment_of(const RunPlan& plan) {
    return {plan.environment.begin(), plan.environment.end()};
  }

  TemporaryFolder folder_;
  AttemptContext context_{"/attempts/1", {{"TASKPIPE_TASK_ID", "ab"}, {"WHERE", "caller"}}};
};

TEST_F(ToolPlan, FillsTheCommandLine) {
  const auto plan = make().plan(spec(), {{"n", 3}, {"title", "a b"}}, context_);
  ASSERT_TRUE(plan) << plan.error().text;
  EXPECT_THAT(plan->argv, ElementsAre("/usr/bin/sh", (folder_.path() / "scripts/run.sh").string(),
                                      "n=3", "title=a b"));
  EXPECT_THAT(plan->artifact_globs, ElementsAre("*.vtk"));
  EXPECT_EQ(plan->parser, nullptr);
}

TEST_F(ToolPlan, LaunchesTasksWithSeveralCpus) {
  auto wide = spec();
  wide.resources.cpus = 4;
  const auto plan = make().plan(wide, {}, context_);
  ASSERT_TRUE(plan) << plan.error().text;
  EXPECT_THAT(plan->argv, ElementsAre("/usr/bin/env", "NP=4", "sh",
                                      (folder_.path() / "scripts/run.sh").string()));
  EXPECT_EQ(environment_of(*plan).at("THREADS"), "4");
  EXPECT_EQ(environment_of(*plan).at("TASKPIPE_CPUS"), "4");
}

TEST_F(ToolPlan, ScrubsTheEnvironment) {
  const auto tool = make(kSolver, {{"HOME", "/home/w"},
                                   {"LC_ALL", "de_DE.UTF-8"},
                                   {"SECRET", "x"},
                                   {"LICENSE_SERVER", "host:1"}});
  const auto plan =
      tool.plan(spec(), {{"mesh-size", 32}, {"ok", true}, {"none", Value()}}, context_);
  ASSERT_TRUE(plan) << plan.error().text;
  const std::map<std::string, std::string> expected = {
      {"HOME", "/home/w"},        {"LANG", "de_DE.UTF-8"},   {"LICENSE_SERVER", "host:1"},
      {"PATH", "/usr/bin:/bin"},  {"PYTHONUNBUFFERED", "1"}, {"SIM_MESH_SIZE", "32"},
      {"SIM_NONE", ""},           {"SIM_OK", "true"},        {"TASKPIPE_CPUS", "1"},
      {"TASKPIPE_TASK_ID", "ab"}, {"THREADS", "1"},          {"TMPDIR", "/attempts/1"},
      {"WHERE", "caller"}};
  EXPECT_EQ(environment_of(*plan), expected);
}

TEST_F(ToolPlan, WorksWithoutKnowingTheDirectory) {
  auto from_task = spec("mine.sh");
  from_task.inline_script = Payload("echo hi");
  const auto plan = make().plan(from_task, {}, AttemptContext{});
  ASSERT_TRUE(plan) << plan.error().text;
  EXPECT_EQ(plan->argv.at(1), "./mine.sh");
  const auto environment = environment_of(*plan);
  EXPECT_FALSE(environment.contains("TMPDIR"));
  EXPECT_EQ(environment.at("WHERE"), ".");
}

TEST_F(ToolPlan, GivesAHomeToAWorkerThatHasNone) {
  const auto plan = make().plan(spec(), {}, context_);
  ASSERT_TRUE(plan) << plan.error().text;
  EXPECT_EQ(environment_of(*plan).at("HOME"), "/attempts/1");
}

TEST_F(ToolPlan, WritesAllParamsAsJson) {
  const ValueMap params = {{"grid", ValueMap{{"nx", 3}}},
                           {"list", ValueList{1, "two", Value()}},
                           {"text", "quote\" and \n"},
                           {"x", 0.1}};
  const auto tool = make("name='t'\n[version]\ntext='1'\n[command]\nargv=['true']\n");
  const auto plan = tool.plan(spec(""), params, context_);
  ASSERT_TRUE(plan) << plan.error().text;
  ASSERT_EQ(plan->files.size(), 1U);
  EXPECT_EQ(plan->files[0].name, "params.json");
  const auto json = nlohmann::json::parse(plan->files[0].content.text());
  EXPECT_EQ(json,
            nlohmann::json::parse(
                R"({"grid":{"nx":3},"list":[1,"two",null],"text":"quote\" and \n","x":0.1})"));
  EXPECT_EQ(environment_of(*plan).at("SIM_GRID"), R"({"nx":3})");
}

TEST_F(ToolPlan, BringsAnInlineScriptAlong) {
  auto from_task = spec("mine.sh");
  from_task.inline_script = Payload("echo hi");
  const auto plan = make().plan(from_task, {}, context_);
  ASSERT_TRUE(plan) << plan.error().text;
  EXPECT_EQ(plan->argv.at(1), "/attempts/1/mine.sh");
  ASSERT_EQ(plan->files.size(), 2U);
  EXPECT_EQ(plan->files[0].name, "mine.sh");
  EXPECT_EQ(plan->files[0].content.text(), "echo hi");
  for (const char* name : {"params.json", "stdout.log", "a/b.sh", "../x", "-c", ".profile", ""}) {
    from_task.script = name;
    const auto refused = make().plan(from_task, {}, context_);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, ErrorCode::invalid) << name;
    EXPECT_EQ(refused.error().field, "script") << name;
  }
}

TEST_F(ToolPlan, RefusesAnInlineScriptWhereTheManifestDoes) {
  auto from_task = spec("mine.sh");
  from_task.inline_script = Payload("echo hi");
  std::string toml = kSolver;
  toml.replace(toml.find("inline = true"), 13, "inline = false");
  const auto plan = make(toml).plan(from_task, {}, context_);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().field, "inline_script");
}

TEST_F(ToolPlan, NamesTheScriptThatIsMissing) {
  const auto tool = make();
  EXPECT_THAT(tool.plan(spec("rnu.sh"), {}, context_).error().text,
              HasSubstr("did you mean 'run.sh'?"));
  const auto none = tool.plan(spec(""), {}, context_);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().field, "script");
  EXPECT_THAT(none.error().text, HasSubstr("is missing"));
}

TEST_F(ToolPlan, RefusesParamsThatCollide) {
  const auto plan = make().plan(spec(), {{"mesh-size", 1}, {"mesh_size", 2}}, context_);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::invalid);
  EXPECT_EQ(plan.error().field, "params.mesh_size");
  EXPECT_THAT(plan.error().text, HasSubstr("params.mesh-size are both passed as SIM_MESH_SIZE"));
}

TEST_F(ToolPlan, RefusesParamsThatNoProgramCanBeGiven) {
  const auto tool = make();
  EXPECT_EQ(tool.plan(spec(), {{"a", std::string("x\0y", 3)}}, context_).error().field, "params.a");
  EXPECT_EQ(tool.plan(spec(), {{"a", 0.0 / 0.0}}, context_).error().field, "params.a");
  EXPECT_EQ(tool.plan(spec(), {{"", 1}}, context_).error().field, "params");
  EXPECT_EQ(tool.plan(spec(), {{"-in", 1}}, context_).error().field, "params.-in");
}

TEST_F(ToolPlan, KeepsLargeParamsOutOfTheEnvironment) {
  const auto tool = make("name='t'\n[version]\ntext='1'\n[command]\nargv=['true']\n");
  const std::string fits(limits::kMaxParamVariableBytes, 'x');
  const auto plan = tool.plan(spec(""), {{"fits", fits}, {"large", fits + "x"}}, context_);
  ASSERT_TRUE(plan) << plan.error().text;
  EXPECT_EQ(environment_of(*plan).at("SIM_FITS").size(), fits.size());
  EXPECT_FALSE(environment_of(*plan).contains("SIM_LARGE"));
  EXPECT_GT(plan->files.at(0).content.size(), 2 * fits.size());

  ValueMap many;
  for (int i = 0; i < 17; ++i) many["p" + std::to_string(i)] = fits;
  const auto refused = tool.plan(spec(""), many, context_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().field, "params");
}

TEST_F(ToolPlan, CutsTheTimeLimitToTheManifests) {
  const auto tool = make();
  auto task = spec();
  EXPECT_EQ(tool.plan(task, {}, context_)->time_limit, Millis(60'000));
  task.limits.run_time_ms = 5;
  EXPECT_EQ(tool.plan(task, {}, context_)->time_limit, Millis(5));
  task.limits.run_time_ms = ~std::uint64_t{0};
  EXPECT_EQ(tool.plan(task, {}, context_)->time_limit, Millis(100'000));
  const auto unlimited = make("name='t'\n[version]\ntext='1'\n[command]\nargv=['true']\n");
  auto plain = spec("");
  EXPECT_EQ(unlimited.plan(plain, {}, context_)->time_limit, Millis(0));
  plain.limits.run_time_ms = ~std::uint64_t{0};
  // More than any clock in nanoseconds can hold: ten years are as good.
  EXPECT_EQ(unlimited.plan(plain, {}, context_)->time_limit, std::chrono::hours(24 * 3650));
}

TEST_F(ToolPlan, PassesOnHowLongTheTaskMayBeSilent) {
  const auto tool = make();
  auto task = spec();
  EXPECT_EQ(tool.plan(task, {}, context_)->silence_limit, Millis(0));
  task.limits.no_progress_ms = 5;
  EXPECT_EQ(tool.plan(task, {}, context_)->silence_limit, Millis(5));
  task.limits.no_progress_ms = ~std::uint64_t{0};
  EXPECT_EQ(tool.plan(task, {}, context_)->silence_limit, std::chrono::hours(24 * 3650));
}

TEST_F(ToolPlan, TakesGraceAndMemoryFromTheTaskFirst) {
  const auto tool = make();
  auto task = spec();
  EXPECT_EQ(tool.plan(task, {}, context_)->grace, Millis(3000));
  EXPECT_EQ(tool.plan(task, {}, context_)->memory_limit_bytes, 1ULL << 20U);
  task.limits.grace_ms = 7;
  task.resources.memory_bytes = 99;
  EXPECT_EQ(tool.plan(task, {}, context_)->grace, Millis(7));
  EXPECT_EQ(tool.plan(task, {}, context_)->memory_limit_bytes, 99U);
}

TEST_F(ToolPlan, LetsAScriptBeTheProgram) {
  const auto tool = make(
      "name='t'\n[version]\ntext='1'\n[command]\nargv=['{script}', 'x']\n"
      "[scripts]\nfolders=['scripts']\ninline=true\n");
  EXPECT_EQ(tool.plan(spec(), {}, context_)->argv.at(0),
            (folder_.path() / "scripts/run.sh").string());
  auto from_task = spec("mine.sh");
  from_task.inline_script = Payload("#!/bin/sh\n");
  const auto plan = tool.plan(from_task, {}, context_);
  ASSERT_TRUE(plan) << plan.error().text;
  EXPECT_THAT(plan->argv, ElementsAre("/attempts/1/mine.sh", "x"));
  EXPECT_TRUE(plan->files.at(0).executable);
}

TEST_F(ToolPlan, SaysWhenTheProgramHasGone) {
  const auto program = folder_.write("bin/once", "#!/bin/sh\n", true);
  const auto tool = make("name='t'\n[version]\ntext='1'\n[command]\nargv=['{toolbox}/bin/once']\n");
  ASSERT_TRUE(tool.plan(spec(""), {}, context_));
  std::filesystem::remove(program);
  const auto plan = tool.plan(spec(""), {}, context_);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::unsupported);
}

}  // namespace
}  // namespace taskpipe::worker
