// Secrets on the disk: who may read them, and that they are written whole or not at all.
#include "common/security/private_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "common/model/limits.hpp"
#include "tests/support/temporary_folder.hpp"

namespace taskpipe::security {
namespace {

namespace fs = std::filesystem;

class PrivateFileTest : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path path(const std::string& name) const { return folder_.path() / name; }
  static unsigned mode(const fs::path& file) {
    return static_cast<unsigned>(fs::status(file).permissions());
  }
  testing::TemporaryFolder folder_;
};

TEST_F(PrivateFileTest, ASecretIsItsOwnersAlone) {
  ASSERT_TRUE(write_secret_file(path("s"), "secret"));
  EXPECT_EQ(mode(path("s")), 0600U);
  EXPECT_EQ(*read_secret_file(path("s")), "secret");
}

TEST_F(PrivateFileTest, ASecretThatOthersMayUseIsRefusedWithTheCommandThatMendsIt) {
  ASSERT_TRUE(write_secret_file(path("s"), "secret"));
  for (const ::mode_t bad : {0640, 0604, 0620, 0602, 0610}) {
    ASSERT_EQ(::chmod(path("s").c_str(), bad), 0);
    const auto read = read_secret_file(path("s"));
    ASSERT_FALSE(read) << std::oct << bad;
    EXPECT_NE(read.error().text.find("chmod 600 '" + path("s").string() + "'"), std::string::npos);
  }
  EXPECT_TRUE(read_public_file(path("s")));
}

TEST_F(PrivateFileTest, NothingIsOverwrittenUnlessAsked) {
  ASSERT_TRUE(write_secret_file(path("s"), "first"));
  EXPECT_FALSE(write_secret_file(path("s"), "second"));
  EXPECT_EQ(*read_secret_file(path("s")), "first");
  EXPECT_TRUE(write_secret_file(path("s"), "third", Overwrite::yes));
  EXPECT_EQ(*read_secret_file(path("s")), "third");
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder_.path())) ++files;
  EXPECT_EQ(files, 1U) << "something temporary was left";
}

TEST_F(PrivateFileTest, WhatIsNoFileOrTooLargeIsRefused) {
  EXPECT_FALSE(read_public_file(path("none")));
  EXPECT_FALSE(read_public_file(folder_.path()));
  std::ofstream(path("large")) << std::string(limits::kMaxKeyFileBytes + 1, 'x');
  EXPECT_FALSE(read_public_file(path("large")));
}

TEST_F(PrivateFileTest, FoldersArePrivateAndNotWritableByOthers) {
  ASSERT_TRUE(make_private_folder(path("a/b")));
  EXPECT_EQ(mode(path("a/b")), 0700U);
  EXPECT_TRUE(make_private_folder(path("a/b")));
  ASSERT_EQ(::chmod(path("a/b").c_str(), 0770), 0);
  const auto refused = make_private_folder(path("a/b"));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find("chmod go-w"), std::string::npos);
}

}  // namespace
}  // namespace taskpipe::security
