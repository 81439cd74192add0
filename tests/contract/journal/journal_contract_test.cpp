// What every Journal owes to the broker's loop (broker/journal/journal.hpp).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "tests/contract/journal/journals_under_test.hpp"
#include "tests/support/record_samples.hpp"

namespace taskpipe::testing {
namespace {

constexpr Epoch kEpoch{3};

class JournalContract : public ::testing::TestWithParam<JournalKind> {
 protected:
  void SetUp() override {
    under_test_ = GetParam().make();
    ASSERT_TRUE(under_test_->open());
  }

  broker::Journal& journal() { return under_test_->journal(); }
  void append(std::size_t count, std::size_t bytes = 0, Epoch epoch = kEpoch) {
    const Lsn first = journal().appended().next();
    journal().append(epoch, first, numbered_records(first, count, bytes));
  }
  void reopen() {
    under_test_->close();
    const auto opened = under_test_->open();
    ASSERT_TRUE(opened) << opened.error().text;
  }
  // Fills at least `count` segments beyond the first.
  void fill_segments(std::size_t count) {
    while (journal().usage().segments <= count) {
      append(4, 1000);
      under_test_->settle();
      ASSERT_EQ(under_test_->failure(), std::nullopt);
    }
  }
  void expect_replayed(Lsn first, Lsn last, std::size_t bytes) {
    const auto& replayed = under_test_->replayed;
    ASSERT_EQ(replayed.size(), last.value() - first.value() + 1);
    Lsn lsn = first;
    for (const auto& [number, record] : replayed) {
      ASSERT_EQ(number, lsn);
      ASSERT_EQ(record, numbered_record(lsn, bytes));
      lsn = lsn.next();
    }
  }

  std::unique_ptr<JournalUnderTest> under_test_;
};

TEST_P(JournalContract, AnEmptyFolderBeginsBeforeRecordOne) {
  EXPECT_EQ(journal().appended(), Lsn(0));
  EXPECT_EQ(journal().durable(), Lsn(0));
  EXPECT_TRUE(under_test_->replayed.empty());
  EXPECT_TRUE(journal().usage().accepts_submits);
  EXPECT_EQ(journal().usage().segments, 1U);
  EXPECT_EQ(journal().usage().oldest_segment_last, Lsn(0));
}

TEST_P(JournalContract, WhatIsAppendedBecomesDurable) {
  append(3);
  EXPECT_EQ(journal().appended(), Lsn(3));
  EXPECT_LE(journal().durable(), Lsn(3));
  append(2);
  under_test_->settle();
  EXPECT_EQ(journal().durable(), Lsn(5));
}

TEST_P(JournalContract, AppendingNothingChangesNothing) {
  journal().append(kEpoch, Lsn(1), {});
  under_test_->settle();
  EXPECT_EQ(journal().appended(), Lsn(0));
  EXPECT_EQ(journal().durable(), Lsn(0));
}

TEST_P(JournalContract, ReplaysEverythingInOrder) {
  for (int i = 0; i < 10; ++i) append(7);
  reopen();
  expect_replayed(Lsn(1), Lsn(70), 0);
  EXPECT_EQ(journal().appended(), Lsn(70));
  EXPECT_EQ(journal().durable(), Lsn(70));
}

TEST_P(JournalContract, ReplaysEveryKindOfRecord) {
  std::mt19937_64 random(11);
  std::vector<broker::Record> records;
  for (std::size_t i = 0; i < std::variant_size_v<broker::Record>; ++i) {
    for (int repeat = 0; repeat < 5; ++repeat) records.push_back(random_record(random, i));
  }
  journal().append(kEpoch, Lsn(1), records);
  reopen();
  ASSERT_EQ(under_test_->replayed.size(), records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(under_test_->replayed[i].record, records[i]) << i;
  }
}

TEST_P(JournalContract, GoesOnAfterEachOfManyRestarts) {
  for (int i = 1; i <= 12; ++i) {
    append(5, 300);
    reopen();
    expect_replayed(Lsn(1), Lsn(static_cast<std::uint64_t>(5 * i)), 300);
  }
}

TEST_P(JournalContract, SpansSegments) {
  fill_segments(5);
  const Lsn last = journal().appended();
  EXPECT_GE(journal().usage().segments, 6U);
  reopen();
  expect_replayed(Lsn(1), last, 1000);
  EXPECT_GE(journal().usage().segments, 6U);
}

TEST_P(JournalContract, HoldsARecordLargerThanASegment) {
  append(1);
  append(1, 5 * under_test_->options.segment_bytes);
  append(1);
  under_test_->settle();
  EXPECT_EQ(journal().durable(), Lsn(3));
  reopen();
  ASSERT_EQ(under_test_->replayed.size(), 3U);
  EXPECT_EQ(under_test_->replayed[1].record,
            numbered_record(Lsn(2), 5 * under_test_->options.segment_bytes));
}

TEST_P(JournalContract, HoldsALargeRecordAsItsFirst) {
  append(1, 3 * under_test_->options.segment_bytes);
  append(1, 3 * under_test_->options.segment_bytes);
  reopen();
  expect_replayed(Lsn(1), Lsn(2), 3 * under_test_->options.segment_bytes);
}

TEST_P(JournalContract, ReleasesWholeSegmentsOldestFirst) {
  fill_segments(4);
  const auto before = journal().usage();
  const Lsn boundary = before.oldest_segment_last;
  ASSERT_GT(boundary, Lsn(0));

  journal().release_before(boundary);  // its last record is still needed
  under_test_->settle();
  EXPECT_EQ(journal().usage().segments, before.segments);

  journal().release_before(boundary.next());
  under_test_->settle();
  const auto after = journal().usage();
  EXPECT_EQ(after.segments, before.segments - 1);
  EXPECT_LT(after.bytes, before.bytes);
  EXPECT_GT(after.oldest_segment_last, boundary);

  const Lsn last = journal().appended();
  reopen();
  expect_replayed(boundary.next(), last, 1000);
}

TEST_P(JournalContract, ReleasingEverythingKeepsTheNumbering) {
  fill_segments(3);
  const Lsn last = journal().appended();
  journal().release_before(last.next());
  under_test_->settle();
  EXPECT_EQ(journal().usage().segments, 1U);
  EXPECT_EQ(journal().usage().oldest_segment_last, Lsn(0));
  reopen();
  EXPECT_EQ(journal().appended(), last);
  ASSERT_FALSE(under_test_->replayed.empty());
  EXPECT_EQ(under_test_->replayed.back().lsn, last);
}

TEST_P(JournalContract, ReleasingTwiceOrBackwardsIsHarmless) {
  fill_segments(3);
  const Lsn boundary = journal().usage().oldest_segment_last;
  journal().release_before(boundary.next());
  journal().release_before(boundary.next());
  journal().release_before(Lsn(1));
  under_test_->settle();
  append(1, 1000);
  under_test_->settle();
  EXPECT_EQ(journal().durable(), journal().appended());
  const Lsn last = journal().appended();
  reopen();
  expect_replayed(boundary.next(), last, 1000);
}

// Space is used again and again, so that old records lie under new ones everywhere.
TEST_P(JournalContract, StaysSmallAndCorrectWhileItIsRecycled) {
  for (int round = 0; round < 30; ++round) {
    append(6, 700);
    under_test_->settle();
    const Lsn keep_from{journal().appended().value() > 40 ? journal().appended().value() - 40 : 0};
    journal().release_before(keep_from);
    under_test_->settle();
    ASSERT_LE(journal().usage().segments, 5U);
    if (round % 5 != 4) continue;
    const Lsn last = journal().appended();
    reopen();
    ASSERT_FALSE(under_test_->replayed.empty());
    expect_replayed(under_test_->replayed.front().lsn, last, 700);
    EXPECT_LE(under_test_->replayed.front().lsn, keep_from.next());
  }
}

TEST_P(JournalContract, ASupersededBrokerCannotWrite) {
  append(2, 0, Epoch(5));
  append(1, 0, Epoch(4));
  under_test_->settle();
  const auto failure = under_test_->failure();
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code, ErrorCode::stale_epoch);
  reopen();
  EXPECT_LE(under_test_->replayed.size(), 2U);
}

TEST_P(JournalContract, RemembersTheHighestEpochAcrossRestarts) {
  append(2, 0, Epoch(5));
  reopen();
  append(1, 0, Epoch(4));
  under_test_->settle();
  ASSERT_TRUE(under_test_->failure());
  EXPECT_EQ(under_test_->failure()->code, ErrorCode::stale_epoch);
  reopen();
  EXPECT_EQ(under_test_->replayed.size(), 2U);
}

TEST_P(JournalContract, ANewerEpochTakesOver) {
  append(2, 0, Epoch(5));
  append(2, 0, Epoch(9));
  reopen();
  append(2, 0, Epoch(9));
  reopen();
  expect_replayed(Lsn(1), Lsn(6), 0);
}

TEST_P(JournalContract, OnlyOneBrokerAtATime) {
  append(1);
  const auto second = under_test_->open_second();
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().text, ::testing::HasSubstr("held by another broker (pid "));
  under_test_->settle();
  EXPECT_EQ(journal().durable(), Lsn(1));  // the holder is undisturbed
}

TEST_P(JournalContract, OtherDurabilitiesKeepWhatAnOrderlyEndLeaves) {
  for (const auto durability : {broker::Durability::os, broker::Durability::none}) {
    under_test_ = GetParam().make();
    under_test_->options.durability = durability;
    ASSERT_TRUE(under_test_->open());
    fill_segments(3);
    const Lsn boundary = journal().usage().oldest_segment_last;
    journal().release_before(boundary.next());
    append(3, 1000);
    under_test_->settle();
    EXPECT_EQ(journal().durable(), journal().appended());
    const Lsn last = journal().appended();
    reopen();
    expect_replayed(boundary.next(), last, 1000);
  }
}

INSTANTIATE_TEST_SUITE_P(All, JournalContract, ::testing::ValuesIn(journal_kinds()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace taskpipe::testing
