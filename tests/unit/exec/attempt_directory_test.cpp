#include "worker/exec/attempt_directory.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/unit/exec/scratch_folder.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::seconds;
using ::testing::HasSubstr;

AttemptKey key(std::uint64_t task, std::uint32_t attempt = 1) {
  return {TaskId(1, task), Epoch(7), Attempt(attempt)};
}

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void make_older(const std::string& path, hours age) {
  const auto when = fs::file_time_type::clock::now() - age;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    fs::last_write_time(entry.path(), when);
  }
  fs::last_write_time(path, when);
}

TEST(AttemptDirectory, HoldsTheFilesOfThePlan) {
  const ScratchFolder root;
  std::vector<RunPlan::File> files(2);
  files[0] = {"in/script.sh", Payload("#!/bin/sh\n"), true};
  files[1] = {"empty", Payload(), false};
  const auto made = AttemptDirectory::create(root.path(), key(5, 2), files);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(made->path(), root / (TaskId(1, 5).to_string() + "/7-2"));
  EXPECT_EQ(content_of(made->file("in/script.sh")), "#!/bin/sh\n");
  struct stat info {};
  ASSERT_EQ(::stat(made->file("in/script.sh").c_str(), &info), 0);
  EXPECT_NE(info.st_mode & S_IXUSR, 0U);
  ASSERT_EQ(::stat(made->file("empty").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & S_IXUSR, 0U);
}

TEST(AttemptDirectory, RefusesNamesThatClimbOut) {
  const ScratchFolder root;
  for (const char* name : {"../x", "a/../../x", "/etc/x", "", "a//b", "./x", "a/", "..", "."}) {
    std::vector<RunPlan::File> files(1);
    files[0].name = name;
    const auto made = AttemptDirectory::create(root.path(), key(1), files);
    ASSERT_FALSE(made) << name;
    EXPECT_EQ(made.error().code, ErrorCode::invalid) << name;
  }
}

TEST(AttemptDirectory, RefusesNamesThatRepeatOrAreTheLogs) {
  const ScratchFolder root;
  std::vector<RunPlan::File> files(2);
  files[0].name = files[1].name = "twice";
  const auto repeated = AttemptDirectory::create(root.path(), key(1), files);
  ASSERT_FALSE(repeated);
  EXPECT_THAT(repeated.error().text, HasSubstr("given twice"));
  files[0].name = "stdout.log";
  const auto reserved = AttemptDirectory::create(root.path(), key(1), files);
  ASSERT_FALSE(reserved);
  EXPECT_THAT(reserved.error().text, HasSubstr("reserved"));
}

TEST(AttemptDirectory, TakesNoTaskFolderOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "giving folders away takes root";
  const ScratchFolder root;
  const Credentials user{64321, 64322, {}};
  const std::string task_folder = root / TaskId(1, 5).to_string();
  fs::create_directory(task_folder);
  ASSERT_EQ(::chown(task_folder.c_str(), 64321, 64322), 0);
  const auto refused = AttemptDirectory::create(root.path(), key(5), {}, {}, &user);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr(task_folder + "' belongs to the user"));
  ASSERT_EQ(::chown(task_folder.c_str(), 0, 0), 0);
  const auto made = AttemptDirectory::create(root.path(), key(5), {}, {}, &user);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(fs::status(task_folder).permissions(), fs::perms(0711));
  // Nor is a link followed, not even to a folder of root.
  const ScratchFolder elsewhere;
  fs::create_directory_symlink(elsewhere.path(), root / TaskId(1, 6).to_string());
  EXPECT_FALSE(AttemptDirectory::create(root.path(), key(6), {}, {}, &user));
}

TEST(AttemptDirectory, NamesAnUnusableRoot) {
  const ScratchFolder folder;
  folder.write("file", "");
  const auto made = AttemptDirectory::create(folder / "file", key(1), {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::storage);
  EXPECT_THAT(made.error().text, HasSubstr(folder / "file"));
  EXPECT_THAT(made.error().text, HasSubstr("writable"));
}

TEST(AttemptDirectory, ReplacesWhatADeadWorkerLeft) {
  const ScratchFolder root;
  root.write(TaskId(1, 1).to_string() + "/7-1/old", "x");
  const auto made = AttemptDirectory::create(root.path(), key(1), {});
  ASSERT_TRUE(made);
  EXPECT_FALSE(fs::exists(made->file("old")));
}

TEST(AttemptDirectory, RefusesOneThatIsInUse) {
  const ScratchFolder root;
  const auto first = AttemptDirectory::create(root.path(), key(1), {});
  ASSERT_TRUE(first);
  EXPECT_FALSE(AttemptDirectory::create(root.path(), key(1), {}));
  EXPECT_TRUE(fs::exists(first->path()));
  EXPECT_FALSE(AttemptDirectory::create(root.path(), key(1), {}));  // the refusal unlocked nothing
}

TEST(SweepAttempts, RemovesTheOldestUntilTheRestFits) {
  const ScratchFolder root;
  std::vector<std::string> paths;
  for (std::uint64_t task = 0; task < 4; ++task) {
    const auto made = AttemptDirectory::create(root.path(), key(task), {});
    ASSERT_TRUE(made);
    std::ofstream(made->file("data")) << std::string(100'000, 'x');
    paths.push_back(made->path());
  }
  for (std::size_t i = 0; i < paths.size(); ++i) {
    make_older(paths[i], hours(10 - static_cast<int>(i)));
  }
  const auto result = sweep_attempts(root.path(), 250'000, hours(1000));
  EXPECT_EQ(result.removed, 2U);
  EXPECT_EQ(result.kept, 2U);
  EXPECT_LE(result.kept_bytes, 250'000U);
  EXPECT_GE(result.freed_bytes, 200'000U);
  EXPECT_FALSE(fs::exists(paths[0]));
  EXPECT_FALSE(fs::exists(fs::path(paths[0]).parent_path()));
  EXPECT_FALSE(fs::exists(paths[1]));
  EXPECT_TRUE(fs::exists(paths[2]));
  EXPECT_TRUE(fs::exists(paths[3]));
}

TEST(SweepAttempts, RemovesWhatIsTooOld) {
  const ScratchFolder root;
  std::string old_path;
  std::string new_path;
  {
    const auto old_one = AttemptDirectory::create(root.path(), key(1), {});
    const auto new_one = AttemptDirectory::create(root.path(), key(1, 2), {});
    ASSERT_TRUE(old_one && new_one);
    old_path = old_one->path();
    new_path = new_one->path();
  }
  make_older(old_path, hours(48));
  EXPECT_EQ(sweep_attempts(root.path(), 1U << 30U, hours(24)).removed, 1U);
  EXPECT_FALSE(fs::exists(old_path));
  EXPECT_TRUE(fs::exists(new_path));
}

TEST(SweepAttempts, NeverTouchesALiveOne) {
  const ScratchFolder root;
  std::string path;
  {
    const auto live = AttemptDirectory::create(root.path(), key(1), {});
    ASSERT_TRUE(live);
    path = live->path();
    make_older(path, hours(1000));
    EXPECT_EQ(sweep_attempts(root.path(), 0, seconds(0)).removed, 0U);
    EXPECT_TRUE(fs::exists(path));
  }
  EXPECT_EQ(sweep_attempts(root.path(), 0, seconds(0)).removed, 1U);
  EXPECT_FALSE(fs::exists(path));
}

TEST(SweepAttempts, LeavesStrangersAlone) {
  const ScratchFolder root;
  const ScratchFolder outside;
  outside.write("7-1/data", "x");
  root.write("notes.txt", "x");
  root.write("folder/7-1/data", "x");
  root.write(TaskId(1, 1).to_string() + "/readme", "x");
  fs::create_directory_symlink(outside.path(), root / TaskId(1, 2).to_string());
  EXPECT_EQ(sweep_attempts(root.path(), 0, seconds(0)).removed, 0U);
  EXPECT_TRUE(fs::exists(root / "folder/7-1/data"));
  EXPECT_TRUE(fs::exists(outside / "7-1/data"));
  EXPECT_EQ(sweep_attempts("/nonexistent", 0, seconds(0)).removed, 0U);
}

}  // namespace
}  // namespace taskpipe::worker
