#include "worker/tools/tool_registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/tools/temporary_folder.hpp"

namespace taskpipe::worker {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;

const Environment kWorker = {{"PATH", "/usr/bin:/bin"}, {"SECRET", "hidden"}};

std::string manifest(const std::string& name, const std::string& more = "") {
  return "name = '" + name + "'\n" + more + "[command]\nargv = ['true']\n";
}

std::string version(const std::string& script, const std::string& regex = "v(.+)") {
  return "[version]\nargv = ['sh', '-c', '''" + script + "''']\nregex = '" + regex +
         "'\ntimeout_s = 20\n";
}

std::vector<std::string> reasons(const ToolRegistry& registry) {
  std::vector<std::string> result;
  for (const auto& rejection : registry.rejections()) {
    result.push_back(rejection.file.filename().string() + ": " + rejection.reason);
  }
  return result;
}

TEST(ToolRegistry, OffersWhatIsInstalled) {
  const TemporaryFolder folder;
  folder.write("b.toml", manifest("bee", "description = 'buzz'\n" + version("echo v2.5 beta")));
  folder.write("a.toml",
               "name = 'ant'\n[version]\ntext = '7'\n[command]\nargv = ['sh', '{script}']\n"
               "[scripts]\nfolders = ['s']\npatterns = ['*.sh']\n");
  folder.write("s/x.sh", "abc");
  folder.write("readme.md", "no manifest");
  folder.write(".hidden.toml", "neither");
  const auto registry = ToolRegistry::load({folder.path()}, kWorker);
  EXPECT_THAT(reasons(registry), ElementsAre());
  const auto offers = registry.offers();
  ASSERT_EQ(offers.size(), 2U);
  EXPECT_EQ(
      offers[0],
      (ToolOffer{"ant",
                 "7",
                 "",
                 {{"x.sh", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}},
                 false,
                 true}));
  EXPECT_EQ(offers[1], (ToolOffer{"bee", "2.5 beta", "buzz", {}, false, false}));
}

TEST(ToolRegistry, SaysWhyAToolIsNotOffered) {
  const TemporaryFolder folder;
  folder.write("1.toml", "name = ");
  folder.write("2.toml", manifest("two", "[requires]\nprograms = ['no-such-solver']\n"));
  folder.write("3.toml", manifest("three", "[requires]\nfiles = ['absent/bashrc']\n"));
  folder.write("4.toml", manifest("four", version("echo nothing; exit 5")));
  folder.write("5.toml", manifest("five", version("kill -9 $$")));
  folder.write("6.toml", manifest("six",
                                  "[version]\nargv = ['sh', '-c', 'sleep 600']\n"
                                  "regex = 'v'\ntimeout_s = 0.1\n"));
  folder.write("7.toml", "name = 'seven'\n[command]\nargv = ['no-such-solver']\n");
  const auto registry = ToolRegistry::load({folder.path(), folder.path() / "none"}, kWorker);
  EXPECT_TRUE(registry.offers().empty());
  EXPECT_THAT(
      reasons(registry),
      ElementsAre(HasSubstr("1.toml: 1.toml:1"),
                  HasSubstr("2.toml: tool 'two' is not offered: program 'no-such-solver'"),
                  AllOf(HasSubstr("3.toml: tool 'three'"), HasSubstr("absent/bashrc' is missing")),
                  AllOf(HasSubstr("status 5"), HasSubstr("it began with: nothing")),
                  HasSubstr("signal 9"), HasSubstr("did not end within 100 ms"),
                  HasSubstr("7.toml: tool 'seven'"), HasSubstr("none: the folder cannot be read")));
}

TEST(ToolRegistry, ProbesInTheScrubbedEnvironment) {
  const TemporaryFolder folder;
  folder.write("a.toml", manifest("a", "[environment]\nX = 'x-{cpus}'\n" +
                                           version("echo v$X:$SECRET:$LANG")));
  const auto registry = ToolRegistry::load({folder.path()}, kWorker);
  ASSERT_EQ(registry.offers().size(), 1U);
  EXPECT_EQ(registry.offers()[0].version, "x-1::C.UTF-8");
}

TEST(ToolRegistry, LetsTheEarlierFolderWin) {
  const TemporaryFolder folder;
  folder.write("site/t.toml", manifest("t", "[version]\ntext = 'site'\n"));
  folder.write("site/broken.toml", manifest("u", "[requires]\nprograms = ['no-such-solver']\n"));
  folder.write("shipped/t.toml", manifest("t", "[version]\ntext = 'shipped'\n"));
  folder.write("shipped/u.toml", manifest("u"));
  const auto registry =
      ToolRegistry::load({folder.path() / "site", folder.path() / "shipped"}, kWorker);
  ASSERT_EQ(registry.offers().size(), 1U);
  EXPECT_EQ(registry.offers()[0].version, "site");
  EXPECT_THAT(reasons(registry),
              ElementsAre(HasSubstr("no-such-solver"), HasSubstr("tool 't' is already defined by"),
                          HasSubstr("tool 'u' is already defined by")));
}

TEST(ToolRegistry, PlansByToolName) {
  const TemporaryFolder folder;
  folder.write("a.toml", manifest("lammps"));
  folder.write("b.toml", manifest("gromacs", "[requires]\nprograms = ['no-such-solver']\n"));
  const auto registry = ToolRegistry::load({folder.path()}, kWorker);
  TaskSpec spec;
  spec.tool = "lammps";
  EXPECT_TRUE(registry.plan(spec, {}, {}));
  EXPECT_NE(registry.find("lammps"), nullptr);

  spec.tool = "lampms";
  auto plan = registry.plan(spec, {}, {});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::unsupported);
  EXPECT_EQ(plan.error().field, "tool");
  EXPECT_THAT(plan.error().text, HasSubstr("did you mean 'lammps'?"));

  spec.tool = "gromacs";
  EXPECT_THAT(registry.plan(spec, {}, {}).error().text, HasSubstr("no-such-solver"));
  spec.tool = "";
  EXPECT_THAT(registry.plan(spec, {}, {}).error().text, HasSubstr("it offers lammps"));
}

TEST(ToolRegistry, ReportsScriptsThatLeadOutside) {
  const TemporaryFolder folder;
  folder.write("a.toml",
               "name = 'a'\n[command]\nargv = ['sh', '{script}']\n"
               "[scripts]\nfolders = ['s']\n");
  folder.write("outside.sh", "");
  folder.write("s/in.sh", "");
  std::filesystem::create_symlink("../outside.sh", folder.path() / "s/out.sh");
  const auto registry = ToolRegistry::load({folder.path()}, kWorker);
  ASSERT_EQ(registry.offers().size(), 1U);
  EXPECT_EQ(registry.offers()[0].scripts.size(), 1U);
  EXPECT_THAT(reasons(registry), ElementsAre(HasSubstr("script out.sh leads out of its folder")));
}

TEST(EnvironmentOfProcess, SplitsNamesFromValues) {
  ASSERT_EQ(::setenv("TASKPIPE_TEST_VARIABLE", "a=b", 1), 0);
  EXPECT_EQ(environment_of_process().at("TASKPIPE_TEST_VARIABLE"), "a=b");
}

}  // namespace
}  // namespace taskpipe::worker
