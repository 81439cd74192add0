// Cuts the power at every operation of a workload, with many ways of what the disk keeps, and holds
// the next start to the promise: everything reported durable is there, in order, unchanged, and
// nothing else is.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "tests/unit/journal/log_on_fake_disk.hpp"

namespace taskpipe::broker {
namespace {

constexpr std::size_t kRecordBytes = 700;
constexpr std::uint64_t kWaysToLose = 6;

// What the broker's loop may rely on when the power fails.
struct Promises {
  Lsn durable;   // reported
  Lsn appended;  // handed over: nothing beyond may ever appear
  Lsn released;  // no longer needed
};

// A few segments' worth of groups of different sizes, with a release now and then. Stops at the
// first failure. `promises` is what was reached.
void work(LogOnFakeDisk& setup, std::size_t rounds, Promises& promises) {
  for (std::size_t round = 0; round < rounds; ++round) {
    const std::size_t count = 1 + (promises.appended.value() * 7 + round) % 5;
    promises.appended = Lsn(setup.log->written().value() + count);
    if (!setup.write(count, kRecordBytes)) return;
    if (round % 4 != 3) {  // sometimes two groups share a sync
      if (!setup.log->sync()) return;
      promises.durable = setup.log->synced();
    }
    if (round % 6 == 5) {
      const std::uint64_t keep = 12;
      const std::uint64_t durable = promises.durable.value();
      promises.released = std::max(promises.released, Lsn(durable > keep ? durable - keep : 0));
      if (!setup.log->release_before(promises.released)) return;
    }
    if (!setup.maintain()) return;
  }
}

::testing::AssertionResult keeps(const LogOnFakeDisk& setup, const Promises& promises) {
  const Lsn last = setup.log->written();
  if (last < promises.durable) {
    return ::testing::AssertionFailure() << "lost: " << promises.durable.value() << " was durable, "
                                         << last.value() << " is left";
  }
  if (last > promises.appended) return ::testing::AssertionFailure() << "invented a record";
  if (last == Lsn()) return ::testing::AssertionSuccess();
  const Lsn first = setup.log->recovery().first;
  if (first > std::max(promises.released, Lsn(1))) {
    return ::testing::AssertionFailure() << "the first record is " << first.value() << ", but from "
                                         << promises.released.value() << " on all is needed";
  }
  if (!setup.replayed_exactly(first, last, kRecordBytes)) {
    return ::testing::AssertionFailure() << "the replay is not what was written";
  }
  return ::testing::AssertionSuccess();
}

std::uint64_t operations_of(std::size_t rounds) {
  LogOnFakeDisk setup;
  Promises promises;
  EXPECT_TRUE(setup.open());
  work(setup, rounds, promises);
  EXPECT_EQ(setup.log->written(), promises.appended);
  EXPECT_GT(promises.released, Lsn(20));
  return setup.disk.operations();
}

TEST(PowerLoss, KeepsThePromiseAtEveryOperation) {
  constexpr std::size_t kRounds = 30;
  const std::uint64_t operations = operations_of(kRounds);
  ASSERT_GT(operations, 100U);
  for (std::uint64_t cut = 0; cut < operations; ++cut) {
    for (std::uint64_t way = 0; way < kWaysToLose; ++way) {
      LogOnFakeDisk setup;
      Promises promises;
      setup.disk.cut_power_at(cut);
      if (setup.open()) work(setup, kRounds, promises);
      ASSERT_TRUE(setup.disk.is_off());
      setup.disk.restore_power(way);
      const auto opened = setup.open();
      ASSERT_TRUE(opened) << "cut " << cut << " way " << way << ": " << opened.error().text;
      ASSERT_TRUE(keeps(setup, promises)) << "cut " << cut << " way " << way;
    }
  }
}

// Many power losses in the life of one folder, also during the start itself.
TEST(PowerLoss, KeepsThePromiseThroughManyLosses) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    std::mt19937_64 random(seed);
    LogOnFakeDisk setup;
    Promises promises;
    for (int life = 0; life < 12; ++life) {
      setup.disk.cut_power_at(random() % 90);
      if (setup.open()) {
        ASSERT_TRUE(keeps(setup, promises)) << "seed " << seed << " life " << life;
        promises.appended = setup.log->written();
        promises.durable = setup.log->synced();
        work(setup, random() % 20, promises);
      }
      setup.disk.cut_power_now();
      setup.disk.restore_power(random());
    }
    const auto opened = setup.open();
    ASSERT_TRUE(opened) << "seed " << seed << ": " << opened.error().text;
    ASSERT_TRUE(keeps(setup, promises)) << "seed " << seed;
  }
}

// The process is killed, the host goes on: everything written is there.
TEST(PowerLoss, AKilledProcessLosesNothingWritten) {
  LogOnFakeDisk setup;
  ASSERT_TRUE(setup.open());
  Promises promises;
  for (int life = 0; life < 20; ++life) {
    work(setup, 7, promises);
    promises.durable = setup.log->written();
    ASSERT_TRUE(setup.open());
    ASSERT_TRUE(keeps(setup, promises)) << life;
  }
}

// Without fsync nothing is promised to outlive the host, but what is left must be a prefix, and the
// journal must start.
TEST(PowerLoss, WithoutFsyncAPrefixIsLeft) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    LogOnFakeDisk setup;
    setup.options.durability = seed % 2 == 0 ? Durability::os : Durability::none;
    ASSERT_TRUE(setup.open());
    for (int i = 0; i < 40; ++i) {
      ASSERT_TRUE(setup.write(1 + i % 3, kRecordBytes));
      ASSERT_TRUE(setup.maintain());
      if (seed % 3 != 0 || i != 30) continue;
      ASSERT_TRUE(setup.log->release_before(Lsn(15)));
    }
    Promises promises{setup.log->synced(), setup.log->written(), Lsn(15)};
    setup.disk.cut_power_now();
    setup.disk.restore_power(seed);
    const auto opened = setup.open();
    ASSERT_TRUE(opened) << "seed " << seed << ": " << opened.error().text;
    ASSERT_TRUE(keeps(setup, promises)) << "seed " << seed;
  }
}

// Each operation fails once with EIO, the process ends and starts again on the same host; then the
// power fails as well. What either life reported durable is there.
TEST(DiskErrors, KeepThePromiseAtEveryOperation) {
  constexpr std::size_t kRounds = 14;
  LogOnFakeDisk whole;
  Promises ignored;
  ASSERT_TRUE(whole.open());
  work(whole, kRounds, ignored);
  const std::uint64_t operations = whole.disk.operations();
  for (std::uint64_t at = 0; at < operations; ++at) {
    LogOnFakeDisk setup;
    Promises promises;
    setup.disk.fail_at(at, EIO);
    if (setup.open()) work(setup, kRounds, promises);
    ASSERT_GT(setup.disk.operations(), at);
    auto opened = setup.open();
    ASSERT_TRUE(opened) << "operation " << at << ": " << opened.error().text;
    ASSERT_TRUE(keeps(setup, promises)) << "operation " << at;
    promises.durable = setup.log->synced();
    setup.disk.cut_power_now();
    setup.disk.restore_power(at % 2 == 0 ? 0 : at);
    opened = setup.open();
    ASSERT_TRUE(opened) << "operation " << at << ": " << opened.error().text;
    ASSERT_TRUE(keeps(setup, promises)) << "operation " << at;
  }
}

}  // namespace
}  // namespace taskpipe::broker
