// Which of a task's files are wanted, and where they go.
#include "common/bulk/artifact_files.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.hpp"

namespace taskpipe::bulk {
namespace {

namespace fs = std::filesystem;
using taskpipe::testing::TemporaryFolder;

std::vector<Artifact> left() {
  return {{"big.bin", "/n/big.bin", 1, ""},
          {"deep/er/part.bin", "/n/deep/er/part.bin", 1, ""},
          {"[odd].txt", "/n/[odd].txt", 1, ""}};
}

std::vector<std::string> names(const std::vector<Artifact>& artifacts,
                               const std::vector<std::string>& patterns,
                               std::vector<std::string>& unmatched) {
  std::vector<std::string> found;
  for (const Artifact* artifact : matching(artifacts, patterns, unmatched)) {
    found.push_back(artifact->name);
  }
  return found;
}

using Names = std::vector<std::string>;

TEST(MatchingArtifacts, ByNameOrPatternInTheirOwnOrder) {
  const auto artifacts = left();
  Names unmatched;
  EXPECT_EQ(names(artifacts, {}, unmatched), (Names{"big.bin", "deep/er/part.bin", "[odd].txt"}));
  EXPECT_EQ(names(artifacts, {"[odd].txt", "*.bin"}, unmatched),
            (Names{"big.bin", "deep/er/part.bin", "[odd].txt"}));
  EXPECT_EQ(unmatched, Names{});
  EXPECT_EQ(names(artifacts, {"none.*", "big.bin"}, unmatched), Names{"big.bin"});
  EXPECT_EQ(unmatched, Names{"none.*"});
}

TEST(PlaceBelow, MakesTheFoldersOnTheWay) {
  const TemporaryFolder folder;
  const std::string to = (folder / "to").string();
  const auto place = place_below(to, "deep/er/part.bin");
  ASSERT_TRUE(place) << place.error().text;
  EXPECT_EQ(*place, to + "/deep/er/part.bin");
  EXPECT_TRUE(fs::is_directory(to + "/deep/er"));
  EXPECT_TRUE(place_below(to, "deep/er/other"));
}

TEST(PlaceBelow, RefusesNamesThatWouldLeaveTheFolder) {
  const TemporaryFolder folder;
  const std::string to = (folder / "to").string();
  for (const char* name : {"../out", "/tmp/out", "a/../../out", "a//b", "", "..", "a/.", "a\nb"}) {
    const auto place = place_below(to, name);
    ASSERT_FALSE(place) << name;
    EXPECT_EQ(place.error().code, ErrorCode::invalid);
  }
  fs::create_directory(folder / "elsewhere");
  fs::create_directory(to);
  fs::create_directory_symlink(folder / "elsewhere", to + "/link");
  EXPECT_FALSE(place_below(to, "link/out"));
  EXPECT_FALSE(place_below(to, "link/er/out"));
  EXPECT_TRUE(fs::is_empty(folder / "elsewhere"));
}

TEST(PlaceBelow, SaysWhatCannotBeMade) {
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "no folder";
  const auto place = place_below(folder.path().string(), "file/out");
  ASSERT_FALSE(place);
  EXPECT_EQ(place.error().code, ErrorCode::storage);
}

}  // namespace
}  // namespace taskpipe::bulk
