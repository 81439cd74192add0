#include "worker/tools/container_probe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>

#include "tests/unit/tools/temporary_folder.hpp"
#include "worker/tools/tool.hpp"

namespace taskpipe::worker {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

// Stands for a runtime's client: has the image once it has pulled it, and writes down its calls.
constexpr const char* kFakeClient = R"(#!/bin/sh
here=${0%/*}
echo "$*${HTTPS_PROXY:+ by $HTTPS_PROXY}" >> "$here/calls"
case $1 in
  image) [ -e "$here/image" ] && echo sha256:0123456789abcdef0123 && exit 0
         echo "Error: No such image: $5" >&2; exit 1 ;;
  pull) [ "$3" != gone ] || { echo "Error: not found: manifest unknown" >&2; exit 1; }
        : > "$here/image" ;;
  run) echo "heat 2.1" ;;
  info) echo "time=now level=warning"; read -r line < "$here/controllers" && echo "$line" ;;
  ps) echo 0123456789ab; echo "a remark"; echo ba9876543210 ;;
esac
)";

class ContainerProbe : public testing::Test {
 protected:
  ContainerProbe() { client_ = folder_.write("bin/docker", kFakeClient, true); }

  tl::expected<Tool::Probed, std::string> probe(const std::string& container,
                                                const std::string& version = "") {
    const auto file = folder_.write("heat.toml", "name = 'heat'\n" + version +
                                                     "[command]\nargv = ['heat', '{dir}']\n"
                                                     "[container]\n" +
                                                     container);
    auto manifest = read_manifest(file);
    if (!manifest) return tl::unexpected(manifest.error().text);
    const Environment worker{{"PATH", (folder_.path() / "bin").string()},
                             {"HOME", "/home/worker"},
                             {"DOCKER_HOST", "unix:///d.sock"},
                             {"HTTPS_PROXY", "user:secret@proxy:1"},
                             {"TASKPIPE_JOIN", "/keys/join"}};
    return Tool::probe(std::move(*manifest), worker, user_environment_, host_);
  }
  std::string reason(const std::string& container) {
    const auto probed = probe(container);
    return probed ? "offered" : probed.error();
  }
  [[nodiscard]] std::string calls() const { return read_text(folder_.path() / "bin/calls"); }

  TemporaryFolder folder_;
  std::filesystem::path client_;
  Environment user_environment_;
  ContainerHost host_{"w0", 1000, 1001, {}, true, 2, {folder_.path() / "work"}};
};

TEST_F(ContainerProbe, NamesTheImageWhenNoVersionIsAsked) {
  folder_.write("bin/image", "");
  const auto probed = probe("image = 'heat:2'");
  ASSERT_TRUE(probed) << probed.error();
  EXPECT_EQ(probed->tool.offer().version, "heat:2 0123456789ab");
}

TEST_F(ContainerProbe, AsksForTheVersionInTheContainerAndLeavesNone) {
  folder_.write("bin/image", "");
  const auto probed =
      probe("image = 'heat:2'", "[version]\nargv = ['heat', '--version']\nregex = 'heat (\\S+)'\n");
  ASSERT_TRUE(probed) << probed.error();
  EXPECT_EQ(probed->tool.offer().version, "2.1");
  EXPECT_THAT(calls(), AllOf(HasSubstr("--entrypoint heat heat:2 --version"),
                             testing::EndsWith("rm -f -v taskpipe-w0-version-heat\n")));
}

TEST_F(ContainerProbe, SaysWhatIsMissing) {
  EXPECT_THAT(reason("image = 'heat:2'"),
              AllOf(HasSubstr("image 'heat:2' cannot be used by docker"),
                    HasSubstr("No such image"), HasSubstr("docker pull heat:2")));
  EXPECT_THAT(calls(), Not(HasSubstr("pull")));  // nobody asked for it
  EXPECT_EQ(reason("image = 'x'\nruntime = 'podman'"),
            "container runtime 'podman' is not installed (looked in PATH)");
  std::filesystem::remove(client_);
  EXPECT_THAT(reason("image = 'x'"), HasSubstr("no container runtime is installed"));
}

TEST_F(ContainerProbe, FetchesAMissingImageIfAsked) {
  EXPECT_THAT(reason("image = 'gone'\npull = 'missing'"),
              AllOf(HasSubstr("cannot be fetched"), HasSubstr("manifest unknown")));
  EXPECT_EQ(reason("image = 'heat:2'\npull = 'missing'"), "offered");
  EXPECT_THAT(calls(), HasSubstr("pull -q heat:2 by user:secret@proxy:1\n"));
  std::filesystem::remove(folder_.path() / "bin/calls");
  EXPECT_EQ(reason("image = 'heat:2'\npull = 'missing'"), "offered");
  EXPECT_THAT(calls(), Not(HasSubstr("secret")));  // nothing else hears of the proxy
}

TEST_F(ContainerProbe, AsksPodmanWithoutRootWhatItCanLimit) {
  folder_.write("bin/podman", kFakeClient, true);
  folder_.write("bin/image", "");
  const auto limits = [this](const std::string& controllers) {
    folder_.write("bin/controllers", controllers + "\n");
    const auto probed = probe("image = 'x'\nruntime = 'podman'");
    return !probed ? probed.error() : unlimited(probed->tool.container()->limits);
  };
  EXPECT_EQ(limits("[]"), "");  // of root: not asked
  EXPECT_THAT(calls(), Not(HasSubstr("info")));
  host_.root = false;
  EXPECT_EQ(limits("[]"), "memory, CPUs, processes");
  EXPECT_EQ(limits("[cpuset memory pids]"), "CPUs");
  EXPECT_EQ(limits("[cpuset cpu io memory pids]"), "");
  std::filesystem::remove(folder_.path() / "bin/controllers");
  EXPECT_THAT(reason("image = 'x'\nruntime = 'podman'"), HasSubstr("podman info: "));
}

TEST_F(ContainerProbe, LooksBehindLinksForWhatAMountShows) {
  folder_.write("bin/image", "");
  const std::string link = (folder_.path() / "link").string();
  std::filesystem::create_directory_symlink("/etc", link);
  EXPECT_THAT(reason("image = 'x'\nmounts = ['" + link + ":/x']"),
              HasSubstr("would show /etc/taskpipe"));
  folder_.write("work/spool/a", "");
  const std::string work = (folder_.path() / "work/spool").string();
  EXPECT_THAT(reason("image = 'x'\nmounts = ['" + work + ":/x']"), HasSubstr("would show "));
  // What was looked at is what attempts will mount, wherever the link leads by then.
  folder_.write("data/a", "");
  const std::string later = (folder_.path() / "later").string();
  std::filesystem::create_directory_symlink(folder_.path() / "data", later);
  const auto probed = probe("image = 'x'\nmounts = ['" + later + ":/x']");
  ASSERT_TRUE(probed) << probed.error();
  EXPECT_EQ(probed->tool.container()->spec.mounts.at(0).host, folder_.path() / "data");
  const std::string odd = (folder_.path() / "odd").string();
  folder_.write("a:b/c", "");
  std::filesystem::create_directory_symlink(folder_.path() / "a:b", odd);
  EXPECT_THAT(reason("image = 'x'\nmounts = ['" + odd + ":/x']"), HasSubstr("with a comma, colon"));
  EXPECT_THAT(reason("image = 'x'\nmounts = ['/no/such/folder:/x']"),
              HasSubstr("'/no/such/folder': No such file"));
}

TEST_F(ContainerProbe, WantsAFileForApptainer) {
  std::filesystem::remove(client_);
  folder_.write("bin/apptainer", "#!/bin/sh\n", true);
  EXPECT_THAT(reason("image = 'heat.sif'"), HasSubstr("heat.sif' is missing"));
  folder_.write("heat.sif", "");
  host_.uid = 2'000'000'001;
  EXPECT_THAT(reason("image = 'heat.sif'"), HasSubstr("2000000001 has no account on this node"));
  host_.uid = ::geteuid();
  EXPECT_EQ(reason("image = 'heat.sif'"), "offered");
  EXPECT_THAT(reason("image = 'heat.sif'\nuser = '1'"), HasSubstr("container.user has no effect"));
}

TEST_F(ContainerProbe, AsksApptainerAsTheUserOfAttempts) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root becomes another user";
  std::filesystem::remove(client_);
  folder_.write("bin/apptainer",
                "#!/bin/sh\necho \"heat $(/usr/bin/id -u),$(/usr/bin/id -g),$HOME\"\n", true);
  folder_.write("heat.sif", "");
  ::chmod(folder_.path().c_str(), 0755);
  user_environment_ = {{"HOME", "/home/heat"}};
  host_.uid = 65534;  // has an account everywhere
  const auto probed =
      probe("image = 'heat.sif'", "[version]\nargv = ['heat']\nregex = 'heat (\\S+)'\n");
  ASSERT_TRUE(probed) << probed.error();
  EXPECT_EQ(probed->tool.offer().version, "65534,1001,/home/heat");
}

TEST_F(ContainerProbe, PlansAnAttempt) {
  folder_.write("bin/image", "");
  const auto probed = probe("image = 'heat:2'");
  ASSERT_TRUE(probed) << probed.error();
  AttemptContext context;
  context.directory = "/work/t/1-1";
  context.attempt = "t-1-1";
  context.environment = {{"TASKPIPE_TASK_ID", "t"}};
  TaskSpec spec;
  spec.tool = "heat";
  spec.resources.memory_bytes = 1U << 26U;
  const auto plan = probed->tool.plan(spec, {{"n", 3}}, context);
  ASSERT_TRUE(plan) << plan.error().text;
  EXPECT_EQ(plan->argv.front(), client_.string());
  EXPECT_EQ(plan->argv.back(), "/work/t/1-1");
  EXPECT_THAT(plan->argv, AllOf(Contains("HOME=/work/t/1-1"), Contains("SIM_N"),
                                Contains("TASKPIPE_TASK_ID"), Not(Contains("TASKPIPE_JOIN"))));
  EXPECT_EQ(plan->memory_limit_bytes, 1U << 26U);
  const std::map<std::string, std::string> client(plan->environment.begin(),
                                                  plan->environment.end());
  EXPECT_EQ(client.at("HOME"), "/home/worker");
  EXPECT_EQ(client.at("DOCKER_HOST"), "unix:///d.sock");
  EXPECT_EQ(client.count("TASKPIPE_JOIN"), 0U);
  ASSERT_TRUE(plan->container);
  EXPECT_EQ(plan->container->runtime, "docker");
  EXPECT_EQ(plan->container->removal.back(), "taskpipe-w0-t-1-1");
  EXPECT_EQ(plan->container->inspection.back(), "taskpipe-w0-t-1-1");
}

TEST_F(ContainerProbe, SweepsWhatHasTheWorkersLabel) {
  const std::string path = (folder_.path() / "bin").string();
  const auto clients = find_runtimes({{"PATH", path}});
  ASSERT_EQ(clients.size(), 1U);
  EXPECT_EQ(clients[0].runtime, ContainerRuntime::docker);
  EXPECT_EQ(clients[0].program, client_);
  const ContainerSweep sweep = sweep_containers(clients[0], "w0");
  EXPECT_EQ(sweep.error, "");
  EXPECT_EQ(sweep.found, 2U);
  EXPECT_EQ(sweep.removed, 2U);
  EXPECT_THAT(calls(), AllOf(HasSubstr("--filter label=taskpipe.worker=w0\n"),
                             HasSubstr("rm -f -v 0123456789ab ba9876543210\n")));
}

}  // namespace
}  // namespace taskpipe::worker
