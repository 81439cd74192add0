#include "worker/tools/container.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "worker/tools/manifest.hpp"

namespace taskpipe::worker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

tl::expected<Manifest, Error> parse_container(const std::string& container) {
  return parse_manifest("name = 'heat'\n[command]\nargv = ['heat']\n[container]\n" + container,
                        "/tools/heat.toml");
}

// What is wrong with a manifest whose [container] has these lines.
std::string refusal_of(const std::string& container) {
  const auto manifest = parse_container(container);
  return manifest ? "accepted" : manifest.error().text;
}

TEST(ContainerManifest, ReadsEveryKey) {
  const auto manifest = parse_container(R"(
image = "registry.example.org/heat:2.1"
runtime = "podman"
pull = "missing"
mounts = ["/data/meshes:/meshes", "/scratch/:/scratch/heat:rw"]
network = "host"
user = "1000:1001"
arguments = ["--gpus", "all"]
)");
  ASSERT_TRUE(manifest) << manifest.error().text;
  ASSERT_TRUE(manifest->container);
  const ContainerSpec& spec = *manifest->container;
  EXPECT_EQ(spec.image, "registry.example.org/heat:2.1");
  EXPECT_EQ(spec.runtime, ContainerRuntime::podman);
  EXPECT_EQ(spec.pull, ImagePull::missing);
  ASSERT_EQ(spec.mounts.size(), 2U);
  EXPECT_EQ(spec.mounts[0].host, "/data/meshes");
  EXPECT_EQ(spec.mounts[0].inside, "/meshes");
  EXPECT_FALSE(spec.mounts[0].writable);
  EXPECT_EQ(spec.mounts[1].host, "/scratch");
  EXPECT_TRUE(spec.mounts[1].writable);
  EXPECT_EQ(spec.network, "host");
  EXPECT_EQ(spec.user, "1000:1001");
  EXPECT_THAT(spec.arguments, ElementsAre("--gpus", "all"));
}

TEST(ContainerManifest, IsClosedByDefault) {
  const auto manifest = parse_container("image = 'heat'");
  ASSERT_TRUE(manifest) << manifest.error().text;
  const ContainerSpec& spec = *manifest->container;
  EXPECT_EQ(spec.runtime, ContainerRuntime::automatic);
  EXPECT_EQ(spec.pull, ImagePull::never);
  EXPECT_EQ(spec.network, "none");
  EXPECT_TRUE(spec.mounts.empty());
  EXPECT_TRUE(spec.user.empty());
}

TEST(ContainerManifest, NamesWhatIsWrong) {
  EXPECT_THAT(refusal_of("runtime = 'docker'"), HasSubstr("container.image: is missing"));
  EXPECT_THAT(refusal_of("image = '--privileged'"),
              HasSubstr("container.image: '--privileged' names"));
  EXPECT_THAT(refusal_of("image = 'a b'"), HasSubstr("container.image: "));
  EXPECT_THAT(refusal_of("image = 'x'\nruntime = 'lxc'"),
              HasSubstr("container.runtime: expected auto, docker, podman or apptainer"));
  EXPECT_THAT(refusal_of("image = 'x'\npull = 'always'"), HasSubstr("container.pull: "));
  EXPECT_THAT(refusal_of("image = 'x'\nnetwork = ''"), HasSubstr("container.network: "));
  EXPECT_THAT(refusal_of("image = 'x'\nuser = 'root'"),
              HasSubstr("container.user: 'root' is no user"));
  EXPECT_THAT(refusal_of("image = 'x'\nuser = '1:'"), HasSubstr("container.user: "));
  EXPECT_THAT(refusal_of("image = 'x'\nimages = 'y'"), HasSubstr("did you mean 'image'"));
  EXPECT_THAT(refusal_of("image = 'x'\narguments = ['--name=mine']"),
              HasSubstr("container.arguments: '--name' belongs to the worker"));
  EXPECT_THAT(refusal_of("image = 'x'\narguments = ['-d']"), HasSubstr("container.arguments: "));
}

TEST(ContainerMounts, AreAbsoluteAndShowNothingPrivate) {
  for (const char* text : {"data:/data", "/data:data", "/data", "/a/../etc:/x", "/data:/x:rx",
                           "/data:/", "/a,b:/x", "/data:/x:rw:z", "", ":"}) {
    EXPECT_FALSE(parse_mount(text)) << text;
  }
  for (const char* text : {"/:/host", "/etc:/etc", "/etc/taskpipe/cluster:/keys", "/root/.ssh:/x",
                           "/var/run/docker.sock:/s", "/run:/run", "/proc/1:/x", "/dev/sda:/x",
                           "/var/lib:/x", "//etc//taskpipe/:/x"}) {
    const auto mount = parse_mount(text);
    ASSERT_FALSE(mount) << text;
    EXPECT_THAT(mount.error(), HasSubstr("would show ")) << text;
  }
  EXPECT_TRUE(parse_mount("/etc/ssl/certs:/etc/ssl/certs"));
  EXPECT_TRUE(parse_mount("/rooted:/x:ro"));
  EXPECT_TRUE(parse_mount("/srv/a b:/x"));
}

TEST(ContainerMounts, OverlapByWholeParts) {
  EXPECT_TRUE(overlap("/a/b", "/a"));
  EXPECT_TRUE(overlap("/a", "/a/b"));
  EXPECT_TRUE(overlap("/", "/a"));
  EXPECT_FALSE(overlap("/ab", "/a"));
}

}  // namespace
}  // namespace taskpipe::worker
