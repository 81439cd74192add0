#include "tests/unit/broker_bulk/memory_store.hpp"

namespace taskpipe::broker {
namespace {

class DownloadsTest : public BulkTest {
 protected:
  void SetUp() override {
    connect(9);
    store.blobs[sha] = content;
  }
  std::string content = std::string(3 * kWindow, 'a') + "end";
  std::string sha = hash_of(content);
};

TEST_F(DownloadsTest, OnlyWhatWasGrantedIsRead) {
  say(9, 1, Get{sha, 0, 2 * kChunk});
  transfers.pump(0, sends);
  EXPECT_EQ(store.reads, 2);
  EXPECT_TRUE(take<GetData>(9, 1));
  EXPECT_TRUE(take<GetData>(9, 1));
  EXPECT_FALSE(transfers.pump(0, sends));
  EXPECT_TRUE(sends.empty());
}

TEST_F(DownloadsTest, TheWholeArrivesAndThenItIsOver) {
  say(9, 1, Get{sha, 0, kWindow});
  std::string got;
  for (int turn = 0; turn < 100 && got.size() < content.size(); ++turn) {
    transfers.pump(0, sends);
    while (const auto data = take<GetData>(9, 1)) {
      EXPECT_EQ(data->offset, got.size());
      EXPECT_EQ(data->size_bytes, content.size());
      got += data->data.text();
    }
    say(9, 1, GetCredit{got.size() + kWindow});
  }
  EXPECT_EQ(got, content);
  EXPECT_EQ(transfers.downloads(), 0U);
}

TEST_F(DownloadsTest, ADownloadBeginsWhereItWasBrokenOff) {
  say(9, 1, Get{sha, content.size() - 3, content.size() + kWindow});
  transfers.pump(0, sends);
  const auto data = take<GetData>(9, 1);
  ASSERT_TRUE(data);
  EXPECT_EQ(data->data.text(), "end");
  say(9, 2, Get{sha, content.size(), content.size()});
  const auto nothing = take<GetData>(9, 2);
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(nothing->data.empty());
  say(9, 3, Get{sha, content.size() + 1, 0});
  EXPECT_EQ(refusal(9), ErrorCode::invalid);
}

TEST_F(DownloadsTest, AnUnknownHashIsRefused) {
  say(9, 1, Get{std::string(64, 'f'), 0, kWindow});
  EXPECT_EQ(refusal(9), ErrorCode::invalid);
  EXPECT_EQ(transfers.downloads(), 0U);
}

TEST_F(DownloadsTest, HugeCreditIsHeldToABound) {
  say(9, 1, Get{sha, 0, ~std::uint64_t{0}});
  std::uint64_t sent = 0;
  while (transfers.pump(0, sends)) {
  }
  while (const auto data = take<GetData>(9, 1)) sent += data->data.size();
  EXPECT_LE(sent, 4 * kWindow);
}

TEST_F(DownloadsTest, NothingIsReadWhileTooMuchIsOnItsWay) {
  say(9, 1, Get{sha, 0, kWindow});
  EXPECT_FALSE(transfers.pump(limits::kMaxBulkQueueBytes, sends));
  EXPECT_EQ(store.reads, 0);
  // One piece more than the room.
  transfers.pump(limits::kMaxBulkQueueBytes - kChunk, sends);
  EXPECT_EQ(store.reads, 1);
}

TEST_F(DownloadsTest, DownloadsTakeTurns) {
  connect(10, 2);
  say(9, 1, Get{sha, 0, kWindow});
  say(10, 1, Get{sha, 0, kWindow});
  transfers.pump(limits::kMaxBulkQueueBytes - 2 * kChunk, sends);
  EXPECT_TRUE(take<GetData>(9, 1));
  EXPECT_TRUE(take<GetData>(10, 1)) << "the first one took it all";
}

TEST_F(DownloadsTest, ACancelledDownloadIsOver) {
  say(9, 1, Get{sha, 0, kWindow});
  say(9, 1, BulkCancel{});
  transfers.pump(0, sends);
  EXPECT_TRUE(sends.empty());
  EXPECT_EQ(transfers.downloads(), 0U);
}

TEST_F(DownloadsTest, AnUnreachablePeerIsForgotten) {
  say(9, 1, Get{sha, 0, kWindow});
  transfers.on_unreachable(9, sends);
  EXPECT_EQ(transfers.downloads(), 0U);
  EXPECT_EQ(transfers.peers(), 0U);
}

}  // namespace
}  // namespace taskpipe::broker
