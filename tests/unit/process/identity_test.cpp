#include "common/process/identity.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_folder.hpp"

namespace taskpipe::process {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder),
                                                std::filesystem::directory_iterator()));
}

TEST(Identity, KnowsHostUserAndProcess) {
  EXPECT_FALSE(host_name().empty());
  EXPECT_FALSE(user_name().empty());
  EXPECT_EQ(process_id(), static_cast<std::uint32_t>(::getpid()));
}

TEST(IdentityFile, IsMadeOnceAndKept) {
  const testing::TemporaryFolder folder;
  const auto path = folder / "uuid";
  const auto id = load_or_create_id<PeerUuid>(path);
  EXPECT_FALSE(id.is_nil());
  EXPECT_EQ(load_or_create_id<PeerUuid>(path), id);
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(line, id.to_string());
  EXPECT_EQ(files_in(folder.path()), 1U) << "a temporary file was left behind";
}

TEST(IdentityFile, BelongsToItsUserAlone) {
  const testing::TemporaryFolder folder;
  const auto path = folder / "uuid";
  const ::mode_t old_mask = ::umask(0);
  (void)load_or_create_id<PeerUuid>(path);
  ::umask(old_mask);
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST(IdentityFile, ReadsWhatPeopleWrite) {
  const testing::TemporaryFolder folder;
  write(folder / "bare", "00112233445566778899aabbccddeeff");
  write(folder / "upper", "00112233445566778899AABBCCDDEEFF\n");
  const PeerUuid expected(0x0011223344556677ULL, 0x8899aabbccddeeffULL);
  EXPECT_EQ(load_or_create_id<PeerUuid>(folder / "bare"), expected);
  EXPECT_EQ(load_or_create_id<PeerUuid>(folder / "upper"), expected);
}

TEST(IdentityFile, RefusesMalformedContentAndKeepsIt) {
  const testing::TemporaryFolder folder;
  const auto path = folder / "uuid";
  for (const std::string& text :
       {std::string(), std::string("\n"), std::string("0011"), std::string(32, '0'),
        std::string(32, 'g'), std::string(32, 'a') + "\n\n", std::string(32, 'a') + " ",
        std::string(33, 'a'), std::string(5000, 'a')}) {
    write(path, text);
    EXPECT_THAT([&] { (void)load_or_create_id<PeerUuid>(path); },
                ThrowsMessage<std::runtime_error>(
                    AllOf(HasSubstr(path.string()), HasSubstr("32 hex digits"))))
        << text;
    EXPECT_EQ(std::filesystem::file_size(path), text.size());
  }
}

TEST(IdentityFile, NamesTheFolderThatIsMissing) {
  const testing::TemporaryFolder folder;
  const auto path = folder / "no/such/uuid";
  EXPECT_THAT([&] { (void)load_or_create_id<PeerUuid>(path); },
              ThrowsMessage<std::runtime_error>(
                  AllOf(HasSubstr(path.string()), HasSubstr("No such file or directory"))));
  EXPECT_THROW((void)load_or_create_id<PeerUuid>(folder.path()), std::runtime_error);
}

TEST(IdentityFile, IsOneForAllWhoCreateItAtOnce) {
  const testing::TemporaryFolder folder;
  const auto path = folder / "uuid";
  std::vector<PeerUuid> ids(8);
  std::vector<std::thread> threads;
  threads.reserve(ids.size());
  for (PeerUuid& id : ids) {
    threads.emplace_back([&id, &path] { id = load_or_create_id<PeerUuid>(path); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const PeerUuid& id : ids) EXPECT_EQ(id, ids.front());
  EXPECT_EQ(files_in(folder.path()), 1U);
}

TEST(OpenFileLimit, IsRaisedToTheHardLimit) {
  ::rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  ::rlimit low = old;
  low.rlim_cur = 256;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_EQ(raise_open_file_limit(), old.rlim_max);
  ::rlimit now{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &now), 0);
  EXPECT_EQ(now.rlim_cur, old.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &old);
}

}  // namespace
}  // namespace taskpipe::process
