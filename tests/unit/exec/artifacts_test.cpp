#include "worker/exec/artifacts.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "common/model/limits.hpp"
#include "tests/unit/exec/scratch_folder.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> names(const std::vector<Artifact>& artifacts) {
  std::vector<std::string> out;
  for (const Artifact& artifact : artifacts) out.push_back(artifact.name);
  return out;
}

TEST(Glob, MatchesWithinOnePartOfThePath) {
  EXPECT_TRUE(glob_matches("*.vtk", "a.vtk"));
  EXPECT_FALSE(glob_matches("*.vtk", "d/a.vtk"));
  EXPECT_TRUE(glob_matches("d/*.vtk", "d/a.vtk"));
  EXPECT_TRUE(glob_matches("./d/?.[v]tk", "d/a.vtk"));
  EXPECT_FALSE(glob_matches("d", "d/a.vtk"));
}

TEST(Glob, DoubleStarMatchesAnyFolders) {
  EXPECT_TRUE(glob_matches("**/*.vtk", "a.vtk"));
  EXPECT_TRUE(glob_matches("**/*.vtk", "d/e/a.vtk"));
  EXPECT_TRUE(glob_matches("d/**", "d/e/a.vtk"));
  EXPECT_TRUE(glob_matches("**/e/**/a", "x/e/a"));
  EXPECT_FALSE(glob_matches("d/**", "d"));
  EXPECT_FALSE(glob_matches("**/*.vtk", ".hidden/a.vtk"));
}

TEST(Glob, LeadingDotMustBeWritten) {
  EXPECT_FALSE(glob_matches("*", ".hidden"));
  EXPECT_TRUE(glob_matches(".*", ".hidden"));
}

TEST(Glob, NeverClimbsOut) {
  EXPECT_FALSE(glob_matches("../a", "../a"));
  EXPECT_FALSE(glob_matches("d/../a", "a"));
  EXPECT_FALSE(glob_matches("/etc/*", "/etc/passwd"));
  EXPECT_FALSE(glob_matches("", "a"));
}

TEST(Glob, ManyStarsAreNoTrap) {
  std::string pattern = "a";
  std::string path = "a";
  for (int i = 0; i < 30; ++i) {
    pattern.insert(0, "**/");
    path.insert(0, "a/");
  }
  EXPECT_FALSE(glob_matches(pattern + "/b", path));  // by trial and error this would never end
  EXPECT_TRUE(glob_matches(pattern, path));
}

TEST(FindArtifacts, ListsMatchesAndLogsSorted) {
  const ScratchFolder folder;
  folder.write("stdout.log", "out");
  folder.write("z.dat", "1");
  folder.write("sub/a.dat", "22");
  folder.write("other.txt", "x");
  const auto found = find_artifacts(folder.path(), {"*.dat", "sub/*", "*.log"});
  ASSERT_THAT(names(found), ElementsAre("stdout.log", "sub/a.dat", "z.dat"));
  EXPECT_EQ(found[1].size_bytes, 2U);
  EXPECT_EQ(found[1].path, folder / "sub/a.dat");
}

TEST(FindArtifacts, NeitherListsNorFollowsLinks) {
  const ScratchFolder outside;
  outside.write("secret.dat", "x");
  const ScratchFolder folder;
  fs::create_directory_symlink(outside.path(), folder / "dir");
  fs::create_symlink(outside / "secret.dat", folder / "link.dat");
  fs::create_symlink(outside / "secret.dat", folder / "stdout.log");
  fs::create_symlink("/nonexistent", folder / "dangling.dat");
  EXPECT_THAT(find_artifacts(folder.path(), {"**/*", "**"}), IsEmpty());
}

TEST(FindArtifacts, TakesOnlyWhatBelongsToTheOwner) {
  const ScratchFolder folder;
  folder.write("sub/a.dat", "x");
  folder.write("stdout.log", "x");
  EXPECT_THAT(names(find_artifacts(folder.path(), {"**"}, ::geteuid())),
              ElementsAre("stdout.log", "sub/a.dat"));
  EXPECT_THAT(find_artifacts(folder.path(), {"**"}, ::geteuid() + 1), IsEmpty());
}

TEST(FindArtifacts, LeavesOutNamesThatAreNotText) {
  const ScratchFolder folder;
  folder.write("bad\xFFname.dat", "x");
  folder.write("good.dat", "x");
  EXPECT_THAT(names(find_artifacts(folder.path(), {"*"})), ElementsAre("good.dat"));
}

TEST(FindArtifacts, BoundsTheirNumberButKeepsTheLogs) {
  const ScratchFolder folder;
  for (std::size_t i = 0; i < limits::kMaxArtifacts + 10; ++i) {
    folder.write("a" + std::to_string(i), "");
  }
  folder.write("stdout.log", "x");
  const auto found = find_artifacts(folder.path(), {"*"});
  EXPECT_EQ(found.size(), limits::kMaxArtifacts);
  EXPECT_EQ(found.back().name, "stdout.log");
}

TEST(FindArtifacts, AMissingFolderHasNone) {
  EXPECT_THAT(find_artifacts("/nonexistent/folder", {"*"}), IsEmpty());
}

TEST(ArtifactHasher, HashesInSlices) {
  const ScratchFolder folder;
  folder.write("abc", "abc");
  folder.write("empty", "");
  folder.write("million", std::string(1'000'000, 'a'));
  auto found = find_artifacts(folder.path(), {"*"});
  ASSERT_EQ(found.size(), 3U);
  ArtifactHasher hasher(found, folder.path());
  int slices = 1;
  while (hasher.step(1000)) ++slices;
  EXPECT_GE(slices, 3);
  // Test vectors of FIPS 180-2.
  EXPECT_EQ(found[0].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(found[1].sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(found[2].sha256, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(ArtifactHasher, LeavesWhatHasAnotherSizeByNowUnhashed) {
  const ScratchFolder folder;
  for (const char* name : {"a-grown", "b-shorter", "c-same"}) folder.write(name, "abc");
  folder.write("d-endless", std::string(1'000'000, 'a'));
  auto found = find_artifacts(folder.path(), {"*"});
  ASSERT_EQ(found.size(), 4U);
  folder.write("a-grown", "abcd");
  folder.write("b-shorter", "ab");
  ArtifactHasher hasher(found, folder.path());
  // Each step finds more, as with a tool that writes faster than we read; its end comes all the
  // same.
  std::ofstream endless(folder / "d-endless", std::ios::app);
  int steps = 0;
  for (; steps < 100 && hasher.step(200'000); ++steps) {
    endless << std::string(1'000'000, 'a') << std::flush;
  }
  EXPECT_LT(steps, 100);
  EXPECT_EQ(found[0].sha256, "");
  EXPECT_EQ(found[1].sha256, "");
  EXPECT_EQ(found[2].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(found[3].sha256, "");
}

TEST(ArtifactHasher, LeavesWhatCannotBeReadUnhashed) {
  std::vector<Artifact> artifacts(2);
  artifacts[0].name = "nonexistent";
  artifacts[1].name = "fd";  // a folder
  ArtifactHasher hasher(artifacts, "/proc/self");
  while (hasher.step(1000)) {
  }
  EXPECT_EQ(artifacts[0].sha256, "");
  EXPECT_EQ(artifacts[1].sha256, "");
}

}  // namespace
}  // namespace taskpipe::worker
