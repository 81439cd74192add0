#include "common/process/beneath.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temporary_folder.hpp"

namespace taskpipe::process {
namespace {

namespace fs = std::filesystem;

class Beneath : public ::testing::Test {
 protected:
  Beneath() {
    fs::create_directories(folder_ / "sub");
    fs::create_directories(outside_.path());
    std::ofstream(folder_ / "sub/file") << "inside";
    std::ofstream(outside_ / "file") << "outside";
  }

  // What it reads, or the errno as text.
  [[nodiscard]] std::string read(const std::string& name, FileOwner owner = {}) const {
    const auto file = open_beneath(folder_.path().string(), name, owner);
    if (!file) return std::to_string(file.error());
    std::array<std::byte, 64> bytes{};
    const auto got = file->read_at(0, bytes);
    return got ? std::string(reinterpret_cast<const char*>(bytes.data()), *got) : "unreadable";
  }

  testing::TemporaryFolder folder_;
  testing::TemporaryFolder outside_;
};

TEST_F(Beneath, ReadsARegularFile) { EXPECT_EQ(read("sub/file"), "inside"); }

TEST_F(Beneath, FollowsNoLinkInAnyPart) {
  fs::create_symlink(outside_ / "file", folder_ / "file");
  fs::create_directory_symlink(outside_.path(), folder_ / "dir");
  fs::create_directory_symlink(folder_ / "sub", folder_ / "own");
  EXPECT_EQ(read("file"), std::to_string(ELOOP));
  EXPECT_EQ(read("dir/file"), std::to_string(ENOTDIR));
  EXPECT_EQ(read("own/file"), std::to_string(ENOTDIR)) << "not even within the folder";
}

TEST_F(Beneath, NeverClimbsOut) {
  for (const char* name :
       {"../x", "sub/../sub/file", "/etc/passwd", "", ".", "sub//file", "sub/"}) {
    EXPECT_EQ(read(name), std::to_string(EINVAL)) << name;
  }
}

TEST_F(Beneath, OpensNothingButRegularFiles) {
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(read("fifo"), std::to_string(EINVAL)) << "and does not wait for a writer";
  EXPECT_EQ(read("sub"), std::to_string(EINVAL));
  EXPECT_EQ(read("none"), std::to_string(ENOENT));
}

TEST_F(Beneath, RefusesWhatBelongsToAnother) {
  EXPECT_EQ(read("sub/file", ::geteuid()), "inside");
  EXPECT_EQ(read("sub/file", ::geteuid() + 1), std::to_string(EACCES));
}

TEST_F(Beneath, DoesNotWaitForTheEndOfALease) {
  const auto leased = File::open((folder_ / "sub/file").string(), O_RDWR);
  ASSERT_TRUE(leased);
  if (::fcntl(leased->fd(), F_SETLEASE, F_WRLCK) != 0) GTEST_SKIP() << "no leases here";
  const auto before = std::signal(SIGIO, SIG_IGN);  // how the kernel asks the holder for it
  EXPECT_EQ(read("sub/file"), std::to_string(EWOULDBLOCK));
  ASSERT_EQ(::fcntl(leased->fd(), F_SETLEASE, F_UNLCK), 0);
  std::signal(SIGIO, before);
  EXPECT_EQ(read("sub/file"), "inside");
}

TEST_F(Beneath, APathOfSomebodyElseLeadsToHisOwnFilesOnly) {
  const auto error = [](const fs::path& path, FileOwner owner) {
    const auto file = open_regular(path.string(), owner);
    return file ? 0 : file.error();
  };
  fs::create_symlink(outside_ / "file", folder_ / "link");
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(error(outside_ / "file", ::geteuid()), 0);
  EXPECT_EQ(error(folder_ / "link", ::geteuid()), 0);
  EXPECT_EQ(error(folder_ / "link", ::geteuid() + 1), EACCES) << "the owner of what it leads to";
  EXPECT_EQ(error(folder_ / "fifo", {}), EINVAL);
  EXPECT_EQ(error("/dev/null", {}), EINVAL);
  EXPECT_EQ(error(folder_ / "none", {}), ENOENT);
}

}  // namespace
}  // namespace taskpipe::process
