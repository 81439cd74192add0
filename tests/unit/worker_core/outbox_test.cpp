// The three outboxes by themselves: bounds of batches, coalescing, flow of logs.
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tests/unit/worker_core/worker_fixture.hpp"
#include "worker/core/log_outbox.hpp"
#include "worker/core/progress_outbox.hpp"
#include "worker/core/result_outbox.hpp"

namespace taskpipe::worker {
namespace {

using testing::key;

ResultItem result_of_size(std::uint64_t number, std::size_t bytes) {
  ResultItem item{key(number), testing::success()};
  item.outcome.report = Payload(std::string(bytes, 'r'));
  return item;
}

std::vector<std::size_t> batch_sizes(ResultOutbox& outbox, MonotonicTime now) {
  std::vector<ResultBatch> batches;
  outbox.flush(now, batches);
  std::vector<std::size_t> sizes;
  for (const auto& batch : batches) sizes.push_back(batch.result.items.size());
  return sizes;
}

using Sizes = std::vector<std::size_t>;

TEST(ResultOutbox, CutsByItems) {
  ResultOutbox outbox;
  for (std::uint64_t i = 0; i < 600; ++i) outbox.add(result_of_size(i, 0), false);
  EXPECT_EQ(batch_sizes(outbox, {}), (Sizes{256, 256, 88}));
}

TEST(ResultOutbox, CutsByBytesAndTakesOneOfAnySize) {
  ResultOutbox outbox;
  for (std::uint64_t i = 0; i < 3; ++i) outbox.add(result_of_size(i, 200U << 10U), false);
  outbox.add(result_of_size(3, limits::kMaxResultBytes), false);
  EXPECT_EQ(batch_sizes(outbox, {}), (Sizes{1, 1, 1, 1}));
}

TEST(ResultOutbox, CutsByBlobFrames) {
  ResultOutbox outbox;
  for (std::uint64_t i = 0; i < 65; ++i) {
    outbox.add(result_of_size(i, limits::kMaxInlinePayloadBytes + 1), false);
  }
  // 62 of these fill 256 KiB, before 64 frames do.
  for (const std::size_t size : batch_sizes(outbox, {})) EXPECT_LE(size, limits::kMaxBlobs);
}

TEST(ResultOutbox, ResendsAreMarkedAndNotMixedWithFirstSends) {
  ResultOutbox outbox;
  const MonotonicTime start;
  outbox.add(result_of_size(1, 0), false);
  EXPECT_EQ(batch_sizes(outbox, start), Sizes{1});
  EXPECT_EQ(outbox.next_deadline(), start + Millis{limits::kResultResendMs});
  outbox.add(result_of_size(2, 0), false);
  std::vector<ResultBatch> batches;
  outbox.flush(start + Millis{limits::kResultResendMs}, batches);
  ASSERT_EQ(batches.size(), 2U);
  EXPECT_NE(batches[0].resend, batches[1].resend);
}

TEST(ResultOutbox, CountsWhatWouldBeLost) {
  ResultOutbox outbox;
  outbox.load(result_of_size(1, 10));
  EXPECT_TRUE(outbox.all_on_disk());
  outbox.add(result_of_size(2, 10), true);
  EXPECT_FALSE(outbox.all_on_disk());
  outbox.stored(key(2), true);
  EXPECT_TRUE(outbox.all_on_disk());
  outbox.add(result_of_size(3, 10), false);
  EXPECT_FALSE(outbox.all_on_disk());
  EXPECT_EQ(outbox.bytes(), 30U);
  EXPECT_EQ(outbox.forget(key(3)), ResultOutbox::Disposal::forgotten);
  EXPECT_EQ(outbox.forget(key(2)), ResultOutbox::Disposal::forgotten_on_disk);
  EXPECT_EQ(outbox.forget(key(2)), ResultOutbox::Disposal::unknown);
  EXPECT_TRUE(outbox.all_on_disk());
  EXPECT_EQ(outbox.bytes(), 10U);
}

TEST(ResultOutbox, OneBeingStoredLeavesAFileBehind) {
  ResultOutbox outbox;
  outbox.add(result_of_size(1, 0), true);
  EXPECT_EQ(outbox.forget(key(1)), ResultOutbox::Disposal::forgotten_on_disk);
  outbox.stored(key(1), true);  // the confirmation comes late and finds nothing
  EXPECT_EQ(outbox.size(), 0U);
  EXPECT_TRUE(outbox.all_on_disk());
}

TEST(ProgressOutbox, KeepsTheLatestAndItsPace) {
  ProgressOutbox outbox;
  MonotonicTime now;
  outbox.merge(key(1), {10, "a", {{"residual", 1.0}}});
  outbox.merge(key(1), {-1, "b", {{"residual", 0.5}, {"dt", 2.0}}});
  std::vector<Progress> batches;
  outbox.flush(now, batches);
  ASSERT_EQ(batches.size(), 1U);
  ASSERT_EQ(batches[0].items.size(), 1U);
  const ProgressItem& item = batches[0].items[0];
  EXPECT_EQ(item.percent, 10);
  EXPECT_EQ(item.message, "b");
  EXPECT_EQ(item.metrics,
            (std::vector<std::pair<std::string, double>>{{"residual", 0.5}, {"dt", 2.0}}));

  EXPECT_FALSE(outbox.next_deadline());
  outbox.merge(key(1), {20, "", {}});
  EXPECT_EQ(outbox.next_deadline(), now + Millis{limits::kProgressIntervalMs});
  batches.clear();
  outbox.flush(now + Millis{limits::kProgressIntervalMs - 1}, batches);
  EXPECT_TRUE(batches.empty());
  outbox.flush(now + Millis{limits::kProgressIntervalMs}, batches);
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0].items[0].percent, 20);
  EXPECT_EQ(batches[0].items[0].message, "b");
  EXPECT_TRUE(batches[0].items[0].metrics.empty());
}

TEST(ProgressOutbox, LeavesOutWhatMayNotTravel) {
  ProgressOutbox outbox;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  outbox.merge(key(1), {nan, std::string(5000, 'x') + "\xFF", {{"a", nan}, {"", 1}, {"b", 1}}});
  outbox.merge(key(1), {1e9, "", {}});
  std::vector<Progress> batches;
  outbox.flush({}, batches);
  const ProgressItem& item = batches.at(0).items.at(0);
  EXPECT_EQ(item.percent, 100);
  EXPECT_EQ(item.message.size(), limits::kMaxTextBytes);
  EXPECT_EQ(item.metrics, (std::vector<std::pair<std::string, double>>{{"b", 1}}));
}

TEST(ProgressOutbox, ForgetsWhatEnded) {
  ProgressOutbox outbox;
  outbox.merge(key(1), {10, "", {}});
  outbox.merge(key(2), {20, "", {}});
  outbox.forget(key(1));
  outbox.forget(key(9));
  std::vector<Progress> batches;
  outbox.flush({}, batches);
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0].items.size(), 1U);
  EXPECT_EQ(batches[0].items[0].attempt, key(2));
}

std::uint64_t bytes_in(const std::vector<Log>& batches) {
  std::uint64_t bytes = 0;
  for (const auto& batch : batches) {
    EXPECT_LE(batch.items.size(), limits::kMaxBatchItems);
    for (const auto& item : batch.items) bytes += item.data.size();
  }
  return bytes;
}

TEST(LogOutbox, IsBoundedByWhatTheBrokerHasSurelyRead) {
  LogOutbox outbox;
  const Payload chunk{std::string(64U << 10U, 'l')};
  const auto fill = [&](std::size_t chunks) {
    for (std::size_t i = 0; i < chunks; ++i) outbox.add({key(1), LogStream::out, i, chunk});
    std::vector<Log> batches;
    outbox.flush(batches);
    return bytes_in(batches);
  };
  EXPECT_FALSE(outbox.wants_ping());
  EXPECT_EQ(fill(8), 8 * chunk.size());
  EXPECT_TRUE(outbox.wants_ping());
  outbox.on_ping(1);
  EXPECT_FALSE(outbox.wants_ping());
  EXPECT_EQ(fill(1000), limits::kMaxLogBytesInFlight - 8 * chunk.size());
  EXPECT_GT(outbox.dropped_bytes(), 0U);
  EXPECT_EQ(fill(1), 0U);
  outbox.on_pong(1);
  EXPECT_EQ(fill(100), 8 * chunk.size());
  outbox.restart();
  EXPECT_EQ(fill(1), chunk.size());
}

}  // namespace
}  // namespace taskpipe::worker
