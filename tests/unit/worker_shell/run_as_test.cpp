#include "worker/shell/run_as.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "tests/support/temporary_folder.hpp"

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

}  // namespace
}  // namespace taskpipe::worker
