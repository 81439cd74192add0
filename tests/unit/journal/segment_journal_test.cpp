// The commit thread around the log: groups, hooks, failures, real folders.
#include "broker/journal/segment_journal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "broker/journal/posix_disk.hpp"
#include "tests/support/fake_disk.hpp"
#include "tests/support/record_samples.hpp"
#include "tests/support/temporary_folder.hpp"

namespace taskpipe::broker {
namespace {

using taskpipe::testing::numbered_records;
using namespace std::chrono_literals;

constexpr Epoch kEpoch{1};
constexpr auto kPatience = 30s;

class SegmentJournalTest : public ::testing::Test {
 protected:
  SegmentJournalTest() {
    options_.folder = "/data";
    options_.segment_bytes = limits::kMinSegmentBytes;
  }

  tl::expected<void, Error> open() {
    SegmentJournal::Hooks hooks;
    hooks.on_durable = [this](Lsn lsn) {
      const std::lock_guard lock(mutex_);
      durable_.push_back(lsn);
      changed_.notify_all();
    };
    hooks.on_failure = [this](const Error& error) {
      const std::lock_guard lock(mutex_);
      failures_.push_back(error);
      changed_.notify_all();
    };
    auto opened = SegmentJournal::open(
        disk_, options_, [this](Lsn, Record&&) { ++replayed_; }, hooks);
    if (!opened) return tl::unexpected(opened.error());
    journal_ = std::move(*opened);
    return {};
  }
  void append(std::size_t count, std::size_t bytes = 0) {
    const Lsn first = journal_->appended().next();
    journal_->append(kEpoch, first, numbered_records(first, count, bytes));
  }
  bool wait_for_durable(Lsn lsn) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience,
                             [&] { return !durable_.empty() && durable_.back() >= lsn; });
  }
  bool wait_for_failure() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return !failures_.empty(); });
  }
  std::vector<Error> failures() {
    const std::lock_guard lock(mutex_);
    return failures_;
  }

  taskpipe::testing::FakeDisk disk_;
  SegmentLogOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Lsn> durable_;
  std::vector<Error> failures_;
  std::size_t replayed_ = 0;
  std::unique_ptr<SegmentJournal> journal_;
};

TEST_F(SegmentJournalTest, ReportsEachGroupInRisingOrder) {
  ASSERT_TRUE(open());
  for (int i = 0; i < 500; ++i) append(3, 40);
  ASSERT_TRUE(wait_for_durable(Lsn(1500)));
  EXPECT_EQ(journal_->durable(), Lsn(1500));
  ASSERT_TRUE(journal_->wait_until_idle(kPatience));
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 1; i < durable_.size(); ++i) EXPECT_LT(durable_[i - 1], durable_[i]);
  EXPECT_EQ(durable_.back(), Lsn(1500));
}

// The loop does not wait for the disk, and what gathers meanwhile becomes one group.
TEST_F(SegmentJournalTest, GroupsWhatGathersWhileItIsBusy) {
  std::mutex gate;
  std::unique_lock closed(gate);
  bool waits = false;
  SegmentJournal::Hooks hooks;
  std::vector<Lsn> groups;
  hooks.on_durable = [&](Lsn lsn) {
    {
      const std::lock_guard lock(mutex_);
      groups.push_back(lsn);
      waits = true;
      changed_.notify_all();
    }
    const std::lock_guard pass(gate);
  };
  auto journal = std::move(*SegmentJournal::open(
      disk_, options_, [](Lsn, Record&&) {}, std::move(hooks)));
  journal->append(kEpoch, Lsn(1), numbered_records(Lsn(1), 1));
  {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, kPatience, [&] { return waits; }));
  }
  // The commit thread stands in its hook; the loop goes on.
  for (std::uint64_t i = 2; i <= 50; ++i) {
    journal->append(kEpoch, Lsn(i), numbered_records(Lsn(i), 1));
  }
  EXPECT_EQ(journal->appended(), Lsn(50));
  EXPECT_EQ(journal->durable(), Lsn(1));
  closed.unlock();
  ASSERT_TRUE(journal->wait_until_idle(kPatience));
  EXPECT_EQ(journal->durable(), Lsn(50));
  const std::lock_guard lock(mutex_);
  EXPECT_THAT(groups, ::testing::ElementsAre(Lsn(1), Lsn(50)));
}

TEST_F(SegmentJournalTest, AFailedWriteOrSyncIsToldOnceAndStopsEverything) {
  for (const std::uint64_t which : {0U, 1U}) {  // the write, the sync
    ASSERT_TRUE(open());
    append(1);
    ASSERT_TRUE(wait_for_durable(Lsn(1)));
    ASSERT_TRUE(journal_->wait_until_idle(kPatience));
    disk_.fail_at(disk_.operations() + which, EIO);
    append(1);
    ASSERT_TRUE(wait_for_failure());
    append(1);
    append(1);
    EXPECT_TRUE(journal_->wait_until_idle(kPatience));
    EXPECT_EQ(journal_->durable(), Lsn(1));
    EXPECT_TRUE(journal_->usage().accepts_submits) << "a failure says nothing about room";
    journal_.reset();
    ASSERT_EQ(failures().size(), 1U);
    EXPECT_EQ(failures()[0].code, ErrorCode::storage);
    failures_.clear();
    durable_.clear();
    for (const std::string& path : disk_.paths()) disk_.delete_file(path);
  }
}

TEST_F(SegmentJournalTest, NothingIsReportedAfterTheFailureOfTheLoop) {
  ASSERT_TRUE(open());
  append(2);
  ASSERT_TRUE(wait_for_durable(Lsn(2)));
  journal_->append(Epoch(0), Lsn(3), numbered_records(Lsn(3), 1));
  ASSERT_EQ(failures().size(), 1U);
  EXPECT_EQ(failures()[0].code, ErrorCode::stale_epoch);
  append(1);
  journal_.reset();
  EXPECT_EQ(durable_.back(), Lsn(2));
  EXPECT_EQ(failures().size(), 1U);
}

TEST_F(SegmentJournalTest, AnOrderlyEndCommitsWhatWasAppended) {
  ASSERT_TRUE(open());
  append(1000, 20);
  journal_.reset();
  disk_.cut_power_now();
  disk_.restore_power(0);
  ASSERT_TRUE(open());
  EXPECT_EQ(replayed_, 1000U);
}

TEST_F(SegmentJournalTest, OsDurabilityDoesNotSync) {
  options_.durability = Durability::os;
  options_.sync_after_ms = 600'000;
  ASSERT_TRUE(open());
  ASSERT_TRUE(journal_->wait_until_idle(kPatience));
  const std::uint64_t before = disk_.syncs();
  for (int i = 0; i < 5; ++i) append(1);
  ASSERT_TRUE(wait_for_durable(Lsn(5)));
  EXPECT_EQ(disk_.syncs(), before);
  EXPECT_EQ(journal_->synced(), Lsn(0));
}

TEST_F(SegmentJournalTest, WithoutFsyncTheMediumFollowsLaterAndIsReported) {
  for (const Durability durability : {Durability::os, Durability::none}) {
    options_.durability = durability;
    options_.sync_after_ms = 1;
    ASSERT_TRUE(open());
    append(3);
    const Lsn last = journal_->appended();
    {
      std::unique_lock lock(mutex_);
      ASSERT_TRUE(changed_.wait_for(lock, kPatience, [&] { return journal_->synced() >= last; }));
    }
    disk_.cut_power_now();
    journal_.reset();
    disk_.restore_power(0);
    replayed_ = 0;
    ASSERT_TRUE(open());
    EXPECT_EQ(replayed_, last.value());
    journal_.reset();
  }
}

TEST_F(SegmentJournalTest, WithFsyncWhatIsDurableIsSynced) {
  ASSERT_TRUE(open());
  append(3);
  ASSERT_TRUE(wait_for_durable(Lsn(3)));
  EXPECT_EQ(journal_->synced(), Lsn(3));
}

TEST_F(SegmentJournalTest, WithoutDurabilityNobodyWaits) {
  options_.durability = Durability::none;
  ASSERT_TRUE(open());
  append(4);
  EXPECT_EQ(journal_->durable(), Lsn(4));
  ASSERT_TRUE(wait_for_durable(Lsn(4)));  // and synced in the end
  journal_.reset();
  ASSERT_TRUE(open());
  EXPECT_EQ(replayed_, 4U);
}

TEST_F(SegmentJournalTest, WithoutDurabilitySmallGroupsWaitForMore) {
  options_.durability = Durability::none;
  options_.sync_after_ms = 600'000;
  ASSERT_TRUE(open());
  ASSERT_TRUE(journal_->wait_until_idle(kPatience));
  for (int i = 0; i < 20; ++i) {
    const auto begun = std::chrono::steady_clock::now();
    append(1);
    while (journal_->usage().backlog_bytes > 0) std::this_thread::yield();
    // However busy the machine is, it cannot be less.
    EXPECT_GE(std::chrono::steady_clock::now() - begun, 5ms);
  }
  {
    // Told of no group: nobody waits for one.
    const std::lock_guard lock(mutex_);
    EXPECT_TRUE(durable_.empty());
  }
  append(1);  // the end does not wait for more
  journal_.reset();
  ASSERT_TRUE(open());
  EXPECT_EQ(replayed_, 21U);
}

TEST_F(SegmentJournalTest, SubmitsStopAndReturnWithTheSpace) {
  disk_.set_capacity(7 * options_.segment_bytes);
  ASSERT_TRUE(open());
  ASSERT_TRUE(journal_->wait_until_idle(kPatience));
  while (journal_->usage().accepts_submits) {
    append(1, 2000);
    ASSERT_TRUE(journal_->wait_until_idle(kPatience));
  }
  append(1, 500);  // a result
  ASSERT_TRUE(wait_for_durable(journal_->appended()));
  disk_.set_capacity(20 * options_.segment_bytes);
  // Nobody appends: the journal looks by itself.
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!journal_->usage().accepts_submits && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_TRUE(journal_->usage().accepts_submits);
}

TEST_F(SegmentJournalTest, AHangingDiskStopsSubmitsByItsBacklog) {
  options_.max_backlog_bytes = 100'000;
  std::mutex gate;
  std::unique_lock closed(gate);
  SegmentJournal::Hooks hooks;
  hooks.on_durable = [&](Lsn) { const std::lock_guard pass(gate); };
  auto journal = std::move(*SegmentJournal::open(
      disk_, options_, [](Lsn, Record&&) {}, std::move(hooks)));
  std::uint64_t lsn = 0;
  const auto record = numbered_records(Lsn(1), 1, 20'000);
  while (journal->usage().accepts_submits && lsn < 20) {
    ++lsn;
    journal->append(kEpoch, Lsn(lsn), record);
  }
  EXPECT_FALSE(journal->usage().accepts_submits);
  EXPECT_LE(lsn, 10U);
  closed.unlock();
  ASSERT_TRUE(journal->wait_until_idle(kPatience));
  EXPECT_TRUE(journal->usage().accepts_submits);
}

class JournalFolder : public ::testing::Test {
 protected:
  tl::expected<std::unique_ptr<SegmentJournal>, Error> open(const std::string& folder) {
    SegmentLogOptions options;
    options.folder = folder;
    options.segment_bytes = limits::kMinSegmentBytes;
    return SegmentJournal::open(disk_, options, [](Lsn, Record&&) {}, {});
  }

  PosixDisk disk_;
  taskpipe::testing::TemporaryFolder folder_;
};

TEST_F(JournalFolder, IsMadeWhenItIsMissing) {
  EXPECT_TRUE(open((folder_ / "data").string()));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "data/journal/0000000000000001.segment"));
  const auto permissions = std::filesystem::status(folder_ / "data/journal").permissions();
  EXPECT_EQ(permissions & std::filesystem::perms::others_all, std::filesystem::perms::none);
}

TEST_F(JournalFolder, ThatCannotBeWrittenIsNamedWithTheRemedy) {
  std::ofstream(folder_ / "file") << "not a folder";
  const auto opened = open((folder_ / "file/data").string());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::storage);
  EXPECT_THAT(opened.error().text, ::testing::HasSubstr((folder_ / "file/data").string()));
  EXPECT_THAT(opened.error().text, ::testing::HasSubstr("give the broker's user write access"));
}

TEST_F(JournalFolder, OnAReadOnlyFileSystemIsNamedWithTheRemedy) {
  const auto opened = open("/proc/taskpipe");  // nobody can make a folder there
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().text, ::testing::HasSubstr("/proc/taskpipe"));
}

TEST_F(JournalFolder, HeldByAnotherBrokerTellsItsPid) {
  const auto first = open(folder_.path().string());
  ASSERT_TRUE(first);
  const auto second = open(folder_.path().string());
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().text, ::testing::HasSubstr("held by another broker (pid " +
                                                        std::to_string(::getpid()) + ")"));
}

}  // namespace
}  // namespace taskpipe::broker
