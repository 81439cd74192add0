// One stream out of what is watched and what is published.
#include "client/src/stream_merge.hpp"

#include <gtest/gtest.h>

#include <random>
#include <utility>
#include <vector>

namespace taskpipe::client {
namespace {

TaskEvent change(std::uint64_t seq, std::uint64_t task = 0) {
  TaskEvent event;
  event.id = TaskId(seq, task);
  event.seq = seq;
  return event;
}

// The changes after `prev`, up to `seq`, one a record.
Events message(std::uint64_t prev, std::uint64_t seq) {
  Events events;
  events.prev_seq = prev;
  events.seq = seq;
  for (std::uint64_t at = prev + 1; at <= seq; ++at) events.tasks.push_back(change(at));
  return events;
}

EventBatch published(Events events, bool gap = false) {
  return EventBatch{"task.tool.", std::move(events), gap};
}

std::vector<std::uint64_t> numbers(const std::optional<StreamChanges>& changes) {
  std::vector<std::uint64_t> found;
  if (!changes) return found;
  for (const auto& event : changes->tasks) found.push_back(event.seq);
  return found;
}

using Numbers = std::vector<std::uint64_t>;

TEST(StreamMerge, TellsWhatIsWatched) {
  StreamMerge merge(5);
  const auto changes = merge.on_watched(message(5, 7));
  EXPECT_EQ(numbers(changes), (Numbers{6, 7}));
  EXPECT_EQ(changes->seq, 7U);
  EXPECT_FALSE(merge.on_watched(message(7, 7))) << "the same place again";
}

TEST(StreamMerge, FromNowOnBeginsWhereTheFirstMessageSays) {
  StreamMerge merge(std::nullopt);
  std::optional<StreamChanges> changes;
  EXPECT_EQ(merge.on_published(published(message(8, 9)), changes), StreamMerge::Published::gap);
  const auto position = merge.on_watched(message(8, 8));
  ASSERT_TRUE(position) << "whoever ends before anything happens knows where to go on";
  EXPECT_EQ(position->seq, 8U);
  EXPECT_TRUE(position->tasks.empty());
  EXPECT_FALSE(merge.on_watched(message(8, 8)));
  EXPECT_EQ(merge.on_published(published(message(8, 9)), changes), StreamMerge::Published::told);
  EXPECT_EQ(numbers(changes), (Numbers{9}));
}

TEST(StreamMerge, WhatComesByBothWaysIsToldOnce) {
  StreamMerge merge(0);
  std::optional<StreamChanges> changes;
  EXPECT_EQ(numbers(merge.on_watched(message(0, 4))), (Numbers{1, 2, 3, 4}));
  EXPECT_EQ(merge.on_published(published(message(1, 3)), changes),
            StreamMerge::Published::nothing_new);
  EXPECT_EQ(merge.on_published(published(message(3, 6)), changes), StreamMerge::Published::told);
  EXPECT_EQ(numbers(changes), (Numbers{5, 6}));
  EXPECT_EQ(numbers(merge.on_watched(message(4, 7))), (Numbers{7}));
}

TEST(StreamMerge, AGapIsSaidAndClosedByWatching) {
  StreamMerge merge(2);
  std::optional<StreamChanges> changes;
  EXPECT_EQ(merge.on_published(published(message(4, 5)), changes), StreamMerge::Published::gap);
  EXPECT_EQ(merge.on_published(published(message(2, 3), true), changes),
            StreamMerge::Published::gap);
  EXPECT_EQ(numbers(merge.on_watched(message(2, 5))), (Numbers{3, 4, 5}));
  EXPECT_EQ(merge.on_published(published(message(5, 6)), changes), StreamMerge::Published::told);
}

TEST(StreamMerge, ARecordInPartsKeepsItsPlace) {
  StreamMerge merge(9);
  std::vector<TaskEvent> record;
  for (std::uint64_t task = 0; task < 10; ++task) record.push_back(change(10, task));
  const auto part = [&](std::uint32_t from, std::uint32_t to, std::uint64_t seq) {
    Events events;
    events.prev_seq = 9;
    events.seq = seq;
    events.offset = from;
    events.tasks.assign(record.begin() + from, record.begin() + to);
    return events;
  };
  EXPECT_EQ(merge.on_watched(part(0, 4, 9))->tasks.size(), 4U);
  std::optional<StreamChanges> changes;
  EXPECT_EQ(merge.on_published(published(part(6, 8, 9)), changes), StreamMerge::Published::gap);
  EXPECT_EQ(merge.on_published(published(part(2, 6, 9)), changes), StreamMerge::Published::told);
  EXPECT_EQ(changes->tasks.size(), 2U);
  EXPECT_EQ(changes->seq, 9U);
  // After a lost link the whole record comes again.
  EXPECT_FALSE(merge.on_watched(part(0, 5, 9)));
  const auto rest = merge.on_watched(part(5, 10, 10));
  EXPECT_EQ(rest->tasks.size(), 4U);
  EXPECT_EQ(rest->tasks.front().id, TaskId(10, 6));
  EXPECT_EQ(rest->seq, 10U);
}

TEST(StreamMerge, ASnapshotReplacesWhatIsNotKept) {
  StreamMerge merge(2);
  Snap first;
  first.seq = 100;
  first.next = 1;
  first.tasks.push_back(TaskEvent{});
  const auto page = merge.on_snapshot(std::move(first), true);
  EXPECT_TRUE(page.resynchronised);
  EXPECT_TRUE(page.first_page);
  EXPECT_EQ(page.seq, 2U) << "whoever stops here must begin anew";
  // A later page is younger: its rows know of changes that the watch tells from 100 on.
  Snap second;
  second.seq = 103;
  TaskEvent row;
  row.id = change(102).id;
  second.tasks.push_back(row);
  const auto last = merge.on_snapshot(std::move(second), false);
  EXPECT_TRUE(last.resynchronised);
  EXPECT_FALSE(last.first_page);
  EXPECT_EQ(last.seq, 100U);
  EXPECT_EQ(numbers(merge.on_watched(message(100, 104))), (Numbers{101, 103, 104}));
}

// Messages of both ways in any order, with losses on the published one: the stream comes out whole.
TEST(StreamMerge, AnyInterleavingComesOutWhole) {
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&random](std::uint32_t n) {
      return static_cast<std::uint32_t>(random() % n);
    };
    // Records of one to seven changes each, cut into messages of at most three.
    std::vector<TaskEvent> all;
    std::vector<Events> messages;
    for (std::uint64_t seq = 1; seq <= 40; ++seq) {
      const std::uint32_t size = 1 + pick(7);
      for (std::uint32_t at = 0; at < size; at += 3) {
        Events events;
        const std::uint32_t end = std::min(size, at + 3);
        events.prev_seq = seq - 1;
        events.seq = end == size ? seq : seq - 1;
        events.offset = at;
        for (std::uint32_t i = at; i < end; ++i) events.tasks.push_back(change(seq, i));
        all.insert(all.end(), events.tasks.begin(), events.tasks.end());
        messages.push_back(std::move(events));
      }
    }
    StreamMerge merge(0);
    std::vector<TaskEvent> told;
    const auto tell = [&told](const std::optional<StreamChanges>& changes) {
      if (changes) told.insert(told.end(), changes->tasks.begin(), changes->tasks.end());
    };
    std::size_t heard = 0;    // of what is published
    std::size_t watched = 0;  // of what is watched
    while (watched < messages.size()) {
      if (pick(2) == 0 && heard < messages.size()) {
        std::optional<StreamChanges> changes;
        if (pick(4) != 0) (void)merge.on_published(published(messages[heard]), changes);
        ++heard;
        tell(changes);
      } else if (pick(8) == 0) {
        // A new session: from the number on that is complete.
        while (watched > 0 && messages[watched - 1].seq >= merge.place()->seq() &&
               messages[watched - 1].prev_seq >= merge.place()->seq()) {
          --watched;
        }
      } else {
        tell(merge.on_watched(Events(messages[watched++])));
      }
    }
    ASSERT_EQ(told, all) << "seed " << seed;
  }
}

}  // namespace
}  // namespace taskpipe::client
