#include "worker/tools/manifest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/model/limits.hpp"
#include "tests/unit/tools/temporary_folder.hpp"

namespace taskpipe::worker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kFull = R"(
name = "solver"
description = "Solves"
artifacts = ["*.vtk", "out/**/*"]
inherit = ["LD_LIBRARY_PATH"]

[version]
argv = ["{toolbox}/bin/solver", "--version"]
regex = 'v(\S+)'
timeout_s = 2.5

[requires]
programs = ["solver", "mesher"]
files = ["data/table.bin", "/etc/hosts"]

[command]
argv = ["solver", "{script}", "{params}"]
params_as = ["--set", "{name}={value}"]

[mpi]
launcher = ["mpirun", "-np", "{cpus}"]

[environment]
OMP_NUM_THREADS = "{cpus}"

[scripts]
folders = ["scripts", "../shared"]
patterns = ["*.in"]
inline = true

[progress]
kind = "regex"
fraction = '(\d+)/(\d+)'

[metrics]
energy = { regex = 'E = (\S+)' }

[limits]
time_limit_s = 60
time_limit_max_s = 3600.5
grace_s = 2
memory_mib = 512
)";

tl::expected<Manifest, Error> parse(const std::string& toml) {
  return parse_manifest(toml, "/site/tools/solver.toml");
}

TEST(Manifest, ReadsEveryKey) {
  const auto manifest = parse(kFull);
  ASSERT_TRUE(manifest) << manifest.error().text;
  EXPECT_EQ(manifest->name, "solver");
  EXPECT_EQ(manifest->description, "Solves");
  EXPECT_EQ(manifest->folder, "/site/tools");
  EXPECT_THAT(manifest->artifact_globs, ElementsAre("*.vtk", "out/**/*"));
  EXPECT_THAT(manifest->inherit, ElementsAre("LD_LIBRARY_PATH"));
  EXPECT_EQ(manifest->version.argv.size(), 2U);
  EXPECT_EQ(manifest->version.timeout, Millis(2500));
  EXPECT_THAT(manifest->required_programs, ElementsAre("solver", "mesher"));
  EXPECT_THAT(manifest->required_files, ElementsAre("/site/tools/data/table.bin", "/etc/hosts"));
  EXPECT_EQ(manifest->command.size(), 3U);
  EXPECT_EQ(manifest->params_as.size(), 2U);
  EXPECT_EQ(manifest->launcher.size(), 3U);
  ASSERT_EQ(manifest->environment.size(), 1U);
  EXPECT_EQ(manifest->environment[0].first, "OMP_NUM_THREADS");
  EXPECT_THAT(manifest->script_folders, ElementsAre("/site/tools/scripts", "/site/shared"));
  EXPECT_THAT(manifest->script_patterns, ElementsAre("*.in"));
  EXPECT_TRUE(manifest->inline_scripts);
  EXPECT_TRUE(manifest->requires_script);
  EXPECT_EQ(manifest->progress.kind, ProgressKind::regex);
  EXPECT_TRUE(manifest->progress.fraction);
  ASSERT_EQ(manifest->metrics.size(), 1U);
  EXPECT_EQ(manifest->metrics[0].name, "energy");
  EXPECT_EQ(manifest->time_limit, Millis(60'000));
  EXPECT_EQ(manifest->time_limit_max, Millis(3'600'500));
  EXPECT_EQ(manifest->grace, Millis(2000));
  EXPECT_EQ(manifest->memory_limit_bytes, 512ULL << 20U);
}

TEST(Manifest, NeedsOnlyANameAndACommand) {
  const auto manifest = parse("name = 'x'\n[command]\nargv = ['true']\n");
  ASSERT_TRUE(manifest) << manifest.error().text;
  EXPECT_FALSE(manifest->requires_script);
  EXPECT_FALSE(manifest->inline_scripts);
  EXPECT_EQ(manifest->progress.kind, ProgressKind::none);
  EXPECT_EQ(manifest->time_limit, Millis(0));
  EXPECT_EQ(manifest->grace, Millis(limits::kDefaultGraceMs));
}

// The text replaced in kFull, its replacement, and the place, key and complaint of the error.
struct Mistake {
  const char* before;
  const char* after;
  const char* expected;
};

TEST(Manifest, PointsAtEveryMistake) {
  const std::vector<Mistake> mistakes = {
      {"name = \"solver\"", "", "solver.toml:1:1: name: is missing"},
      {"name = \"solver\"", "name = 7", "solver.toml:2:8: name: expected a string"},
      {"name = \"solver\"", "name = 'a.b'", "solver.toml:2:8: name: use 1 to 128 letters"},
      {"name = \"solver\"", "name = ''", "name: use 1 to 128 letters"},
      {"name = \"solver\"", "name = \"solver", "solver.toml:2"},
      {"description", "descripton",
       "solver.toml:3:1: descripton: unknown key; did you mean "
       "'description'?"},
      {"[mpi]", "[paralell]", "paralell: unknown key"},
      {"argv = [\"solver\"", "argv = [1",
       "solver.toml:17:9: command.argv: expected an array of "
       "strings"},
      {"argv = [\"solver\", \"{script}\", \"{params}\"]", "argv = \"solver\"",
       "command.argv: expected an array of strings"},
      {"argv = [\"solver\", \"{script}\", \"{params}\"]", "argv = []", "command.argv: is empty"},
      {"\"{params}\"]", "]", "command.params_as: has no effect"},
      {"params_as = [\"--set\", \"{name}={value}\"]", "", "command.argv: {params} needs params_as"},
      {"{script}", "{scirpt}", "command.argv: unknown placeholder {scirpt}"},
      {"{script}", "{name}", "command.argv: '{name}' has a placeholder that has no value here"},
      {"{toolbox}/bin", "{dir}/bin", "version.argv: '{dir}/bin/solver' has a placeholder"},
      {"regex = 'v(\\S+)'", "", "version.regex: is missing"},
      {"regex = 'v(\\S+)'", "regex = 'v('", "version.regex: not a regular expression"},
      {"regex = 'v(\\S+)'", "regex = '(v)(\\S+)'", "version.regex: expected one group"},
      {"regex = 'v(\\S+)'", "regex = 'v'\ntext = '1'", "version: give either text, or argv"},
      {"timeout_s = 2.5", "timeout_s = 1e9", "version.timeout_s: expected a number of seconds"},
      {"timeout_s = 2.5", "timeout_s = nan", "version.timeout_s: expected a number of seconds"},
      {"timeout_s = 2.5", "timeout_s = '1'", "version.timeout_s: expected a number of seconds"},
      {"launcher", "luncher", "mpi.launcher: is missing"},
      {"OMP_NUM_THREADS =", "\"A-B\" =", "environment.A-B: is no variable name"},
      {"\"{cpus}\"\n\n[scripts]", "3\n\n[scripts]",
       "environment.OMP_NUM_THREADS: expected a "
       "string"},
      {"LD_LIBRARY_PATH", "LD LIBRARY", "inherit: 'LD LIBRARY' is no variable name"},
      {"inline = true", "inline = 1", "scripts.inline: expected true or false"},
      {"inline = true", "required = false", "scripts: the command contains {script}"},
      {"folders = [\"scripts\", \"../shared\"]", "folders = []", ""},
      {"kind = \"regex\"", "kind = \"regexp\"", "progress.kind: expected lammps, openfoam"},
      {"kind = \"regex\"", "", "progress.kind: is missing"},
      {"kind = \"regex\"", "kind = \"lammps\"", "progress.fraction: unknown key"},
      {"fraction = '(\\d+)/(\\d+)'", "fraction = '(\\d+)'",
       "progress.fraction: expected two "
       "groups"},
      {"fraction = '(\\d+)/(\\d+)'", "", "progress.kind: give either percent or fraction"},
      {"{ regex = 'E = (\\S+)' }", "{ regex = 'E' }", "metrics.energy.regex: expected one group"},
      {"{ regex = 'E = (\\S+)' }", "{ column = 'E' }",
       "metrics.energy.column: needs "
       "progress.kind"},
      {"{ regex = 'E = (\\S+)' }", "{ }", "metrics.energy: give either regex or column"},
      {"{ regex = 'E = (\\S+)' }", "'E = (\\S+)'", "metrics.energy: expected a table"},
      {"time_limit_s = 60", "time_limit_s = 7200",
       "limits.time_limit_s: is above "
       "time_limit_max_s"},
      {"grace_s = 2", "grace_s = -1", "limits.grace_s: expected a number of seconds"},
      {"memory_mib = 512", "memory_mib = 0", "limits.memory_mib: expected an integer from 1"},
      {"[requires]", "[[requires]]", "requires: expected a table"},
  };
  for (const auto& mistake : mistakes) {
    std::string toml = kFull;
    const auto at = toml.find(mistake.before);
    ASSERT_NE(at, std::string::npos) << mistake.before;
    toml.replace(at, std::string(mistake.before).size(), mistake.after);
    const auto manifest = parse(toml);
    if (*mistake.expected == '\0') {
      EXPECT_TRUE(manifest) << mistake.after;
      continue;
    }
    ASSERT_FALSE(manifest) << mistake.after;
    EXPECT_EQ(manifest.error().code, ErrorCode::invalid);
    EXPECT_THAT(manifest.error().text, HasSubstr(mistake.expected)) << mistake.after;
    EXPECT_THAT(manifest.error().text, testing::StartsWith("solver.toml:")) << mistake.after;
  }
}

TEST(Manifest, RefusesAToolWhoseScriptCouldNeverRun) {
  const auto manifest = parse("name = 'x'\n[command]\nargv = ['a', '{script}']\n[scripts]\n");
  ASSERT_FALSE(manifest);
  EXPECT_THAT(manifest.error().text, HasSubstr("scripts: no script could ever run"));
  EXPECT_FALSE(parse("name = 'x'\n[command]\nargv = ['a', '{script}']\n"));
}

TEST(Manifest, BoundsTheNumberOfMetrics) {
  std::string toml = "name = 'x'\n[command]\nargv = ['a']\n[metrics]\n";
  for (std::size_t i = 0; i <= limits::kMaxMetrics; ++i) {
    toml += "m" + std::to_string(i) + " = { regex = '(x)' }\n";
  }
  const auto manifest = parse(toml);
  ASSERT_FALSE(manifest);
  EXPECT_THAT(manifest.error().text, HasSubstr("more than 64 metrics"));
}

TEST(Manifest, ReadsAFileRelativeToItsFolder) {
  const TemporaryFolder folder;
  const auto manifest = read_manifest(folder.write("tools/solver.toml", kFull));
  ASSERT_TRUE(manifest) << manifest.error().text;
  EXPECT_EQ(manifest->folder, folder.path() / "tools");
  EXPECT_THAT(manifest->script_folders,
              ElementsAre(folder.path() / "tools/scripts", folder.path() / "shared"));
}

TEST(Manifest, SaysWhyAFileCannotBeRead) {
  const TemporaryFolder folder;
  EXPECT_THAT(read_manifest(folder.path() / "none.toml").error().text,
              HasSubstr("none.toml: No such file"));
  const auto huge = folder.write("huge.toml", std::string(limits::kMaxManifestBytes + 1, '\n'));
  EXPECT_THAT(read_manifest(huge).error().text, HasSubstr("too large"));
  std::filesystem::create_directory(folder.path() / "dir.toml");
  EXPECT_FALSE(read_manifest(folder.path() / "dir.toml"));
  EXPECT_FALSE(read_manifest(folder.write("bytes.toml", "\xff\xfe\x00garbage")));
}

}  // namespace
}  // namespace taskpipe::worker
