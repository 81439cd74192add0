#include "worker/tools/container_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace taskpipe::worker {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

using Words = std::vector<std::string>;

ContainerSetup docker_setup() {
  ContainerSetup setup;
  setup.runtime = ContainerRuntime::docker;
  setup.program = "/usr/bin/docker";
  setup.image = "heat:1";
  setup.client = {{"PATH", "/usr/bin"}, {"HOME", "/root"}, {"DOCKER_HOST", "unix:///d.sock"}};
  setup.host.worker = "w0";
  setup.host.uid = 1000;
  setup.host.gid = 1001;
  setup.host.root = true;
  setup.host.cpus = 8;
  return setup;
}

ContainerRun attempt_run() {
  ContainerRun run;
  run.name = "taskpipe-w0-t-1-2";
  run.attempt = "t-1-2";
  run.directory = "/work/t/1-2";
  run.memory_limit_bytes = 64U << 20U;
  run.cpus = 2;
  run.environment = {{"SIM_KEY", "secret"}, {"HOME", "/work/t/1-2"}, {"LD_PRELOAD", "x.so"}};
  run.argv = {"heat", "--input", "a b"};
  return run;
}

// Whether the options (before the image) have these words side by side.
testing::AssertionResult has_words(const Words& argv, const Words& words) {
  const auto found = std::search(argv.begin(), argv.end(), words.begin(), words.end());
  if (found != argv.end()) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "no " << testing::PrintToString(words) << " in " << testing::PrintToString(argv);
}

TEST(ContainerPlan, RunsTheCommandInPlaceOfTheEntryPoint) {
  const auto argv = container_command(docker_setup(), attempt_run()).argv;
  EXPECT_TRUE(has_words(argv, {"/usr/bin/docker", "run", "--name", "taskpipe-w0-t-1-2"}));
  const Words end(argv.end() - 5, argv.end());
  EXPECT_THAT(end, ElementsAre("--entrypoint", "heat", "heat:1", "--input", "a b"));
}

TEST(ContainerPlan, TakesAwayWhatAToolDoesNotNeed) {
  const auto argv = container_command(docker_setup(), attempt_run()).argv;
  EXPECT_TRUE(has_words(argv, {"--user", "1000:1001"}));
  EXPECT_TRUE(has_words(argv, {"--cap-drop", "ALL", "--security-opt", "no-new-privileges"}));
  EXPECT_TRUE(
      has_words(argv, {"--read-only", "--network", "none", "--tmpfs", "/tmp:rw,exec,mode=1777"}));
  EXPECT_TRUE(has_words(argv, {"--pull", "never", "--init", "--no-healthcheck"}));
  EXPECT_TRUE(has_words(argv, {"--pids-limit", "4096"}));
  EXPECT_THAT(argv, Not(Contains("--rm")));  // it could not be asked how it ended
}

TEST(ContainerPlan, LimitsMemoryWithoutSwapAndCpus) {
  auto run = attempt_run();
  const auto limited = container_command(docker_setup(), run).argv;
  EXPECT_TRUE(has_words(limited, {"--memory", "67108864b", "--memory-swap", "67108864b"}));
  EXPECT_TRUE(has_words(limited, {"--cpus", "2"}));
  run.memory_limit_bytes = 0;
  run.cpus = 8;  // all there are; more would be refused
  const auto free = container_command(docker_setup(), run).argv;
  EXPECT_THAT(free, Not(Contains("--memory")));
  EXPECT_THAT(free, Not(Contains("--cpus")));
}

TEST(ContainerPlan, AsksForNoLimitThatTheRuntimeCannotKeep) {
  auto setup = docker_setup();
  setup.limits = {false, true, false};
  auto argv = container_command(setup, attempt_run()).argv;
  EXPECT_TRUE(has_words(argv, {"--cpus", "2"}));
  EXPECT_THAT(argv, Not(Contains(testing::AnyOf("--memory", "--memory-swap", "--pids-limit"))));
  EXPECT_EQ(unlimited(setup.limits), "memory, processes");
  setup.limits = {true, false, true};
  argv = container_command(setup, attempt_run()).argv;
  EXPECT_TRUE(has_words(argv, {"--memory", "67108864b"}));
  EXPECT_THAT(argv, Not(Contains("--cpus")));
  EXPECT_EQ(unlimited(setup.limits), "CPUs");
  EXPECT_EQ(unlimited(docker_setup().limits), "");
}

TEST(ContainerPlan, MountsTheAttemptToWriteAndTheRestToRead) {
  auto setup = docker_setup();
  setup.read_only = {"/tools/scripts"};
  setup.spec.mounts = {{"/data", "/in", false}, {"/scratch", "/out", true}};
  auto run = attempt_run();
  run.directory = "/work,1/t";
  const auto argv = container_command(setup, run).argv;
  EXPECT_TRUE(has_words(argv, {"--mount", "type=bind,\"source=/work,1/t\",\"target=/work,1/t\"",
                               "--workdir", "/work,1/t"}));
  EXPECT_TRUE(has_words(argv, {"type=bind,source=/tools/scripts,target=/tools/scripts,readonly"}));
  EXPECT_TRUE(has_words(argv, {"type=bind,source=/data,target=/in,readonly"}));
  EXPECT_TRUE(has_words(argv, {"type=bind,source=/scratch,target=/out"}));
}

TEST(ContainerPlan, PassesVariablesByNameUnlessTheyWouldSteerTheClient) {
  const auto command = container_command(docker_setup(), attempt_run());
  EXPECT_TRUE(has_words(command.argv, {"--env", "SIM_KEY"}));
  EXPECT_TRUE(has_words(command.argv, {"--env", "HOME=/work/t/1-2"}));
  EXPECT_TRUE(has_words(command.argv, {"--env", "LD_PRELOAD=x.so"}));
  EXPECT_EQ(command.environment, (Environment{{"PATH", "/usr/bin"},
                                              {"HOME", "/root"},
                                              {"DOCKER_HOST", "unix:///d.sock"},
                                              {"SIM_KEY", "secret"}}));
  for (const char* name : {"PATH", "DOCKER_HOST", "http_proxy", "HTTPS_PROXY", "CONTAINERS_CONF"}) {
    EXPECT_TRUE(steers_client(name)) << name;
  }
  for (const char* name : {"SIM_PATH", "GOOGLE_API_KEY", "GOLD_KEY", "DOCKER_HUB_PASSWORD",
                           "CONTAINER_SECRET", "STORAGE_KEY", "MY_PROXY", "PAT", ""}) {
    EXPECT_FALSE(steers_client(name)) << name;
  }
  for (const char* name : {"GODEBUG", "GOMEMLIMIT", "STORAGE_OPTS", "XDG_RUNTIME_DIR", "LD_AUDIT",
                           "_CONTAINERS_ROOTLESS_GID"}) {
    EXPECT_TRUE(steers_client(name)) << name;
  }
}

TEST(ContainerPlan, LetsTheAdministratorHaveTheLastWord) {
  auto setup = docker_setup();
  setup.spec.user = "0:0";
  setup.spec.network = "host";
  setup.spec.arguments = {"--gpus", "all"};
  setup.host.groups = {44, 1001};
  const auto argv = container_command(setup, attempt_run()).argv;
  EXPECT_TRUE(has_words(argv, {"--user", "0:0"}));
  EXPECT_TRUE(has_words(argv, {"--network", "host"}));
  EXPECT_TRUE(has_words(argv, {"--gpus", "all", "--entrypoint", "heat", "heat:1"}));
  EXPECT_THAT(argv, Not(Contains("--group-add")));
  setup.spec.user.clear();
  const auto grouped = container_command(setup, attempt_run()).argv;
  EXPECT_TRUE(has_words(grouped, {"--user", "1000:1001", "--group-add", "44"}));
  EXPECT_FALSE(has_words(grouped, {"--group-add", "1001"}));
}

TEST(ContainerPlan, KeepsTheNumbersOfTheHostUnderRootlessPodman) {
  auto setup = docker_setup();
  setup.runtime = ContainerRuntime::podman;
  EXPECT_TRUE(has_words(container_command(setup, attempt_run()).argv, {"--http-proxy=false"}));
  EXPECT_FALSE(has_words(container_command(setup, attempt_run()).argv, {"--userns", "keep-id"}));
  setup.host.root = false;
  EXPECT_TRUE(has_words(container_command(setup, attempt_run()).argv, {"--userns", "keep-id"}));
}

TEST(ContainerPlan, SpeaksApptainersLanguage) {
  auto setup = docker_setup();
  setup.runtime = ContainerRuntime::apptainer;
  setup.program = "/usr/bin/apptainer";
  setup.image = "/images/heat.sif";
  setup.read_only = {"/tools/scripts"};
  setup.spec.arguments = {"--nv"};
  const auto command = container_command(setup, attempt_run());
  EXPECT_THAT(command.argv,
              ElementsAre("/usr/bin/apptainer", "--silent", "exec", "--containall", "--no-privs",
                          "--cleanenv", "--net", "--network", "none", "--home", "/work/t/1-2",
                          "--pwd", "/work/t/1-2", "--bind", "/tools/scripts:/tools/scripts:ro",
                          "--nv", "/images/heat.sif", "heat", "--input", "a b"));
  EXPECT_EQ(command.environment.at("APPTAINERENV_SIM_KEY"), "secret");
  EXPECT_EQ(command.environment.at("HOME"), "/root");
  EXPECT_EQ(command.environment.count("APPTAINERENV_HOME"), 0U);  // it would not be obeyed
  EXPECT_FALSE(outlives_its_client(setup.runtime));
}

TEST(ContainerPlan, GivesApptainerTheHomeThatTheManifestNames) {
  auto setup = docker_setup();
  setup.runtime = ContainerRuntime::apptainer;
  auto run = attempt_run();
  run.environment["HOME"] = "/home/heat";
  const auto named = container_command(setup, run).argv;
  EXPECT_TRUE(has_words(named, {"--home", "/work/t/1-2:/home/heat", "--bind",
                                "/work/t/1-2:/work/t/1-2:rw", "--pwd", "/work/t/1-2"}));
  run.directory.clear();  // asked for its version
  EXPECT_THAT(container_command(setup, run).argv,
              testing::AllOf(Contains("--no-home"), Not(Contains("--home"))));
}

TEST(ContainerPlan, AsksAndRemovesByName) {
  EXPECT_THAT(removal_command(docker_setup(), "c"),
              ElementsAre("/usr/bin/docker", "rm", "-f", "-v", "c"));
  EXPECT_EQ(inspection_command(docker_setup(), "c").back(), "c");
  EXPECT_EQ(container_name(docker_setup().host, "t-1-2"), "taskpipe-w0-t-1-2");
}

}  // namespace
}  // namespace taskpipe::worker
