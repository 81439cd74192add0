#include "worker/shell/run_as.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temporary_folder.hpp"
#include "worker/shell/own_folder.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;

std::string refusal(const std::string& text) {
  const auto found = find_run_as(text);
  return found ? "" : found.error().text;
}

// Every Linux has these.
TEST(RunAs, FindsAnAccountByNameAndByNumber) {
  const auto by_name = find_run_as("nobody");
  ASSERT_TRUE(by_name) << by_name.error().text;
  const auto by_number = find_run_as(std::to_string(by_name->credentials.uid));
  ASSERT_TRUE(by_number);
  EXPECT_EQ(by_number->name, "nobody");
  EXPECT_EQ(by_number->credentials.gid, by_name->credentials.gid);
  EXPECT_EQ(by_name->credentials.groups, std::vector<std::uint32_t>{by_name->credentials.gid});
}

TEST(RunAs, AGroupReplacesTheAccountsOwn) {
  const auto found = find_run_as("nobody:64322");
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(found->credentials.gid, 64322U);
  EXPECT_EQ(found->credentials.groups, std::vector<std::uint32_t>{64322});
}

TEST(RunAs, ANumberWithoutAnAccountNeedsAGroup) {
  EXPECT_NE(refusal("64321").find("--run-as 64321:GROUP"), std::string::npos);
  const auto found = find_run_as("64321:64322");
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(found->name, "64321");
}

TEST(RunAs, IsNeverRoot) {
  for (const char* text : {"root", "0", "0:64322", "root:64322"}) {
    EXPECT_NE(refusal(text).find("is root"), std::string::npos) << text;
  }
  for (const char* text : {"nobody:root", "nobody:0", "64321:0"}) {
    EXPECT_NE(refusal(text).find("root's"), std::string::npos) << text;
  }
}

TEST(RunAs, NamesWhatIsUnknown) {
  EXPECT_NE(refusal("no-such-user-here").find("'no-such-user-here'"), std::string::npos);
  EXPECT_NE(refusal("nobody:no-such-group").find("'no-such-group'"), std::string::npos);
  EXPECT_NE(refusal(":64322"), "");
  EXPECT_NE(refusal("4294967295:1"), "") << "it means 'leave it as it is' to the kernel";
  EXPECT_NE(refusal("nobody:4294967295"), "");
}

TEST(RunAs, ALinkInThePlaceOfAFolderIsNotFollowed) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root prepares folders for another user";
  const taskpipe::testing::TemporaryFolder work;
  const taskpipe::testing::TemporaryFolder outside;
  fs::create_directories(work.path());
  fs::create_directories(outside.path());
  fs::permissions(outside.path(), fs::perms(0755));
  fs::create_directory_symlink(outside.path(), work / "spool");
  auto run_as = find_run_as("64321:64322");
  ASSERT_TRUE(run_as);
  EXPECT_FALSE(prepare_work_dir(*run_as, work.path()));
  EXPECT_EQ(fs::status(outside.path()).permissions(), fs::perms(0755));
}

TEST(RunAs, AFolderThatAnotherCouldHaveFilledIsNotTakenOver) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root prepares folders for another user";
  for (const char* name : {"attempts", "spool", "inputs"}) {
    const taskpipe::testing::TemporaryFolder work;
    fs::create_directory(work / name);
    auto run_as = find_run_as("64321:64322");
    ASSERT_TRUE(run_as);
    ASSERT_EQ(::chown((work / name).c_str(), 64321, 64322), 0);
    const auto owned = prepare_work_dir(*run_as, work.path());
    ASSERT_FALSE(owned) << name;
    EXPECT_NE(owned.error().text.find((work / name).string() + "' belongs to"), std::string::npos);
    ASSERT_EQ(::chown((work / name).c_str(), 0, 0), 0);
    fs::permissions(work / name, fs::perms(01777));
    const auto open = prepare_work_dir(*run_as, work.path());
    ASSERT_FALSE(open) << name;
    EXPECT_NE(open.error().text.find("can be written to by others"), std::string::npos);
    fs::permissions(work / name, fs::perms(0775));  // a umask of 002
    EXPECT_TRUE(prepare_work_dir(*run_as, work.path())) << name;
  }
}

// The folder of the test is below /tmp, which is everybody's and sticky.
class OwnFolder : public ::testing::Test {
 protected:
  [[nodiscard]] static std::string refused(const fs::path& path) {
    const auto made = make_own_folder(path);
    return made ? "" : made.error().text;
  }

  taskpipe::testing::TemporaryFolder folder_;
};

TEST_F(OwnFolder, IsMadeWithWhatIsMissingAboveIt) {
  EXPECT_EQ(refused(folder_ / "a/b/../c/./d/"), "");
  EXPECT_TRUE(fs::is_directory(folder_ / "a/c/d"));
  EXPECT_EQ(refused(folder_ / "a/c/d"), "");
}

TEST_F(OwnFolder, MayBeReachedByLinksOfItsOwner) {
  fs::create_directories(folder_ / "real/deep");
  fs::create_directory_symlink("real/deep", folder_ / "relative");
  fs::create_directory_symlink(folder_ / "relative", folder_ / "absolute");
  EXPECT_EQ(refused(folder_ / "absolute/../work"), "");
  EXPECT_TRUE(fs::is_directory(folder_ / "real/work")) << "as the kernel reads it";
  fs::create_directory_symlink("circle", folder_ / "circle");
  EXPECT_NE(refused(folder_ / "circle"), "");
}

TEST_F(OwnFolder, IsNoneWhereOthersWrite) {
  fs::create_directories(folder_ / "open/work");
  fs::permissions(folder_ / "open", fs::perms(0777));
  EXPECT_NE(refused(folder_ / "open/work").find((folder_ / "open").string() + "' can be written"),
            std::string::npos);
  fs::permissions(folder_ / "open", fs::perms(01777));
  EXPECT_EQ(refused(folder_ / "open/work"), "") << "sticky";
  EXPECT_NE(refused(folder_ / "open").find("can be written"), std::string::npos)
      << "but not itself";
  std::ofstream(folder_ / "file") << "x";
  EXPECT_NE(refused(folder_ / "file/work").find("file' cannot be"), std::string::npos);
}

TEST_F(OwnFolder, IsNoneOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "giving folders away takes root";
  fs::create_directories(folder_ / "his/work");
  fs::create_directories(folder_ / "mine");
  fs::create_directory_symlink(folder_ / "his", folder_ / "mine/to-his");
  fs::create_directory_symlink(folder_ / "mine", folder_ / "his-link");
  ASSERT_EQ(::lchown((folder_ / "his").c_str(), 64321, 0), 0);
  ASSERT_EQ(::lchown((folder_ / "his-link").c_str(), 64321, 0), 0);
  for (const char* name : {"his", "his/work", "mine/to-his/work"}) {
    EXPECT_NE(refused(folder_ / name).find((folder_ / "his").string() + "' belongs to the user"),
              std::string::npos)
        << name;
  }
  EXPECT_NE(refused(folder_ / "his-link").find("his-link' belongs to the user"), std::string::npos);
  fs::permissions(folder_ / "mine", fs::perms(0775));
  EXPECT_EQ(refused(folder_ / "mine"), "") << "root's group is root";
  ASSERT_EQ(::chown((folder_ / "mine").c_str(), 0, 64322), 0);
  EXPECT_NE(refused(folder_ / "mine"), "");
}

}  // namespace
}  // namespace taskpipe::worker
