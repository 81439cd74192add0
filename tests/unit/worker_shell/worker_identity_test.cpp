#include "worker/shell/worker_identity.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include <gtest/gtest.h>

#include "tests/support/temporary_folder.hpp"

namespace taskpipe::worker {
namespace {

TEST(WorkerIdentity, PersistsAndCountsStarts) {
  const taskpipe::testing::TemporaryFolder folder;
  const auto work_dir = folder / "deep/worker";
  PeerUuid uuid;
  for (std::uint64_t start = 1; start <= 3; ++start) {
    const auto identity = WorkerIdentity::claim(work_dir);
    ASSERT_TRUE(identity) << identity.error().text;
    EXPECT_FALSE(identity->uuid().is_nil());
    if (start > 1) {
      EXPECT_EQ(identity->uuid(), uuid);
    }
    uuid = identity->uuid();
    EXPECT_EQ(identity->incarnation(), start);
  }
}

TEST(WorkerIdentity, OneAgentPerFolder) {
  const taskpipe::testing::TemporaryFolder folder;
  auto first = WorkerIdentity::claim(folder.path());
  ASSERT_TRUE(first);
  const auto second = WorkerIdentity::claim(folder.path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().field, "work-dir");
  EXPECT_NE(second.error().text.find(std::to_string(::getpid())), std::string::npos);
  EXPECT_NE(second.error().text.find("--work-dir"), std::string::npos);
  EXPECT_TRUE(WorkerIdentity::claim(folder / "another"));
  { const WorkerIdentity ends = std::move(*first); }
  EXPECT_TRUE(WorkerIdentity::claim(folder.path()));
}

TEST(WorkerIdentity, DamageIsAnErrorAndNeverANewIdentity) {
  const taskpipe::testing::TemporaryFolder folder;
  ASSERT_TRUE(WorkerIdentity::claim(folder.path()));
  std::ofstream(folder / "incarnation") << "12x\n";
  const auto bad_count = WorkerIdentity::claim(folder.path());
  ASSERT_FALSE(bad_count);
  EXPECT_EQ(bad_count.error().field, "work-dir");
  std::ofstream(folder / "uuid") << "zz\n";
  EXPECT_FALSE(WorkerIdentity::claim(folder.path()));
}

TEST(WorkerIdentity, AFileInTheWayIsAnErrorWithARemedy) {
  const taskpipe::testing::TemporaryFolder folder;
  std::ofstream(folder / "file") << "x";
  const auto identity = WorkerIdentity::claim(folder / "file");
  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error().code, ErrorCode::storage);
  EXPECT_NE(identity.error().text.find("--work-dir"), std::string::npos);
}

}  // namespace
}  // namespace taskpipe::worker
