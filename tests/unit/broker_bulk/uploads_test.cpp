#include "tests/unit/broker_bulk/memory_store.hpp"

namespace taskpipe::broker {
namespace {

class UploadsTest : public BulkTest {};

TEST_F(UploadsTest, AStrangerIsAskedWhoItIs) {
  transfers.on_probe(9, sends);
  EXPECT_TRUE(take<Who>(9));
  say(9, 1, Put{hash_of("a"), 1});
  EXPECT_TRUE(take<Who>(9));
  EXPECT_EQ(store.begins, 0);
}

TEST_F(UploadsTest, OnlyTheTokenOfAnOpenSessionAdmits) {
  transfers.session_opened(SessionId(1), token_of(1));
  say(9, Correlation{}, BulkHello{token_of(2), 0}, 1);
  EXPECT_EQ(refusal(9), ErrorCode::not_registered);
  say(9, Correlation{}, BulkHello{BulkToken{}, 0}, 1);
  EXPECT_EQ(refusal(9), ErrorCode::not_registered);
  transfers.session_closed(SessionId(1), sends);
  say(9, Correlation{}, BulkHello{token_of(1), 0}, 1);
  EXPECT_EQ(refusal(9), ErrorCode::not_registered);
  EXPECT_EQ(transfers.peers(), 0U);
}

TEST_F(UploadsTest, WhoeverMayOnlyReadBringsNothing) {
  connect(9);
  transfers.session_opened(SessionId(1), token_of(1), false);
  say(9, 1, Put{hash_of("a"), 1});
  EXPECT_EQ(refusal(9), ErrorCode::denied);
  EXPECT_EQ(store.begins, 0);
}

TEST_F(UploadsTest, WhatTheStoreHasIsNotSent) {
  connect(9);
  store.blobs[hash_of("a")] = "a";
  say(9, 1, Put{hash_of("a"), 1});
  const auto state = take<PutState>(9, 1);
  ASSERT_TRUE(state);
  EXPECT_TRUE(state->have);
}

TEST_F(UploadsTest, CreditIsNeverMoreThanAWindowAhead) {
  connect(9);
  const std::string content(3 * kWindow, 'a');
  say(9, 1, Put{hash_of(content), content.size()});
  auto state = take<PutState>(9, 1);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->offset, 0U);
  std::uint64_t credit = state->credit;
  for (std::uint64_t at = 0; at < content.size(); at += kChunk) {
    EXPECT_LE(credit, at + kWindow);
    ASSERT_GE(credit, at + kChunk) << "the upload stands still";
    say(9, 1, piece(content, at, kChunk));
    while ((state = take<PutState>(9, 1))) credit = std::max(credit, state->credit);
  }
  EXPECT_EQ(store.partial[hash_of(content)], content);
  EXPECT_TRUE(sends.empty()) << "told before it was safe";
  transfers.on_stored(hash_of(content), {}, sends);
  state = take<PutState>(9, 1);
  ASSERT_TRUE(state);
  EXPECT_TRUE(state->have);
}

TEST_F(UploadsTest, MoreThanTheCreditEndsTheTransfer) {
  connect(9);
  const std::string content(2 * kWindow, 'a');
  say(9, 1, Put{hash_of(content), content.size()});
  for (std::uint64_t at = 0; at < kWindow / 2; at += kChunk) say(9, 1, piece(content, at, kChunk));
  sends.clear();
  // A piece out of order, and then one for a transfer that is over.
  say(9, 1, piece(content, kWindow, kChunk));
  EXPECT_EQ(refusal(9), ErrorCode::flow);
  EXPECT_EQ(store.left, std::vector{hash_of(content)});
  say(9, 1, piece(content, kWindow / 2, kChunk));
  EXPECT_TRUE(sends.empty());
  EXPECT_EQ(store.partial[hash_of(content)].size(), kWindow / 2);
}

TEST_F(UploadsTest, AnUploadGoesOnWhereItWas) {
  connect(9);
  const std::string content(kWindow, 'a');
  store.partial[hash_of(content)] = content.substr(0, kChunk);
  store.unverified.insert(hash_of(content));
  say(9, 1, Put{hash_of(content), content.size()});
  EXPECT_TRUE(sends.empty()) << "before what is there was read";
  store.unverified.clear();
  transfers.on_verified(hash_of(content), sends);
  const auto state = take<PutState>(9, 1);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->offset, kChunk);
}

TEST_F(UploadsTest, TheSecondBringerWaitsAndLearnsOfTheFirst) {
  connect(8, 1);
  connect(9, 2);
  say(8, 1, Put{hash_of("a"), 1});
  say(9, 5, Put{hash_of("a"), 1});
  EXPECT_TRUE(take<PutState>(8, 1));
  EXPECT_FALSE(take<PutState>(9)) << "both would send";
  say(8, 1, piece("a", 0, 1));
  transfers.on_stored(hash_of("a"), {}, sends);
  ASSERT_TRUE(take<PutState>(8, 1)->have);
  ASSERT_TRUE(take<PutState>(9, 5)->have);
}

TEST_F(UploadsTest, TheSecondBringerTakesThePlaceOfOneThatIsGone) {
  connect(8, 1);
  connect(9, 2);
  say(8, 1, Put{hash_of("ba"), 2});
  say(9, 5, Put{hash_of("ba"), 2});
  say(8, 1, piece("ba", 0, 1));
  transfers.session_closed(SessionId(1), sends);
  const auto state = take<PutState>(9, 5);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->offset, 1U);
}

TEST_F(UploadsTest, AWrongContentIsTheFaultOfItsBringerAlone) {
  connect(8, 1);
  connect(9, 2);
  say(8, 1, Put{hash_of("a"), 1});
  say(9, 5, Put{hash_of("a"), 1});
  sends.clear();
  say(8, 1, piece("x", 0, 1));
  EXPECT_EQ(refusal(8), ErrorCode::invalid);
  const auto state = take<PutState>(9, 5);
  ASSERT_TRUE(state) << "the other one was not asked for its own";
  EXPECT_EQ(state->offset, 0U);
}

TEST_F(UploadsTest, WithoutRoomItIsTriedOnceMore) {
  connect(9);
  store.full = true;
  say(9, 1, Put{hash_of("a"), 1});
  EXPECT_TRUE(transfers.wants_room());
  EXPECT_TRUE(sends.empty());
  transfers.on_room_made(sends);
  EXPECT_EQ(refusal(9), ErrorCode::storage);
  EXPECT_FALSE(transfers.wants_room());
  say(9, 2, Put{hash_of("a"), 1});
  store.full = false;
  transfers.on_room_made(sends);
  EXPECT_TRUE(take<PutState>(9, 2));
}

TEST_F(UploadsTest, AFullDiskRefusesOnlyTheUpload) {
  connect(9);
  store.blobs[hash_of("b")] = "b";
  say(9, 1, Put{hash_of("a"), 1});
  sends.clear();
  store.broken = true;
  say(9, 1, piece("a", 0, 1));
  EXPECT_EQ(refusal(9), ErrorCode::storage);
  say(9, 2, Get{hash_of("b"), 0, 1});
  transfers.pump(0, sends);
  EXPECT_TRUE(take<GetData>(9, 2));
}

TEST_F(UploadsTest, SoManyMaySendAtATimeAndTheOthersFollow) {
  const std::size_t peers = limits::kMaxActivePuts + 1;
  for (std::size_t i = 0; i < peers; ++i) {
    connect(100 + i, 1 + i);
    const std::string sha =
        std::string(62, 'e') + "0123456789abcdef"[i / 16 % 16] + "0123456789abcdef"[i % 16];
    say(100 + i, 1, Put{sha, 10});
  }
  EXPECT_TRUE(take<PutState>(100));
  EXPECT_FALSE(take<PutState>(100 + peers - 1));
  say(100, 1, BulkCancel{});
  EXPECT_TRUE(take<PutState>(100 + peers - 1)) << "nobody took the free place";
}

TEST_F(UploadsTest, APeerHasSoManyTransfers) {
  connect(9);
  for (std::size_t i = 0; i <= limits::kMaxTransfersPerPeer; ++i) {
    say(9, 1 + i, Put{std::string(63, 'e') + "0123456789abcdefg"[i % 16], 10});
  }
  EXPECT_EQ(refusal(9), ErrorCode::busy);
}

TEST_F(UploadsTest, ANewConnectionOfTheSameNumberReplacesTheOld) {
  connect(8, 1, 3);
  say(8, 1, Put{hash_of("ba"), 2});
  sends.clear();
  say(9, Correlation{}, BulkHello{token_of(1), 3}, 1);
  session_of[9] = 1;
  EXPECT_EQ(transfers.peers(), 1U);
  say(9, 1, Put{hash_of("ba"), 2});
  EXPECT_TRUE(take<PutState>(9, 1)) << "it waits for its own former self";
  connect(10, 1, 4);
  EXPECT_EQ(transfers.peers(), 2U) << "another number is another connection";
}

TEST_F(UploadsTest, ASilentTransferEnds) {
  connect(9);
  say(9, 1, Put{hash_of("a"), 1});
  sends.clear();
  now = now + Millis(limits::kBulkIdleMs);
  transfers.tick(now, sends);
  EXPECT_EQ(refusal(9), ErrorCode::busy);
  EXPECT_EQ(store.left, std::vector{hash_of("a")});
}

TEST_F(UploadsTest, OtherMessagesAreDeniedAndGarbageIsCounted) {
  connect(9);
  say(9, 1, Ping{1});
  EXPECT_EQ(refusal(9), ErrorCode::denied);
  for (std::size_t i = 0; i < limits::kMaxMalformedPerSession; ++i) {
    transfers.on_malformed(9, Correlation{}, Error{ErrorCode::malformed, "x", "body"}, sends);
  }
  EXPECT_EQ(transfers.peers(), 0U);
}

}  // namespace
}  // namespace taskpipe::broker
