#include "common/model/limits.hpp"
#include "tests/unit/net/loopback.hpp"

namespace taskpipe::net {
namespace {

using testing::quick_tuning;
using testing::raw_peer;
using testing::receive_soon;
using testing::wait_until;

Events events_of(std::uint64_t seq) {
  Events events;
  events.epoch = Epoch(7);
  events.prev_seq = seq - 1;
  events.seq = seq;
  events.workers = {{PeerUuid(1, 2), "node", WorkerState::ready}};
  return events;
}

class PubSub : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(xpub_.bind("tcp://127.0.0.1:*").has_value()); }

  void expect_subscription(const std::string& topic, bool added) {
    XpubSocket::Subscription subscription;
    ASSERT_TRUE(receive_soon(xpub_, subscription)) << topic;
    EXPECT_EQ(subscription.topic, topic);
    EXPECT_EQ(subscription.added, added);
  }

  Context context_;
  XpubSocket xpub_{context_, quick_tuning()};
};

TEST_F(PubSub, EverySubscriptionIsTold) {
  SubSocket first(context_, quick_tuning());
  ASSERT_TRUE(first.connect(xpub_.endpoint()).has_value());
  first.subscribe("id.00.");
  expect_subscription("id.00.", true);
  SubSocket second(context_, quick_tuning());
  ASSERT_TRUE(second.connect(xpub_.endpoint()).has_value());
  second.subscribe("id.00.");
  expect_subscription("id.00.", true);
}

TEST_F(PubSub, TheLastOneThatLeavesIsTold) {
  SubSocket stays(context_, quick_tuning());
  ASSERT_TRUE(stays.connect(xpub_.endpoint()).has_value());
  stays.subscribe("id.00.");
  expect_subscription("id.00.", true);
  {
    SubSocket leaves(context_, quick_tuning());
    ASSERT_TRUE(leaves.connect(xpub_.endpoint()).has_value());
    leaves.subscribe("id.00.");
    expect_subscription("id.00.", true);
    leaves.subscribe("id.01.");
    expect_subscription("id.01.", true);
  }
  expect_subscription("id.01.", false);  // closing unsubscribes
  stays.unsubscribe("id.00.");
  expect_subscription("id.00.", false);
}

TEST_F(PubSub, EventsReachWhoSubscribed) {
  SubSocket sub(context_, quick_tuning());
  ASSERT_TRUE(sub.connect(xpub_.endpoint()).has_value());
  sub.subscribe("worker.");
  expect_subscription("worker.", true);
  xpub_.publish(protocol::encode_events("task.lammps.", events_of(1)));
  xpub_.publish(protocol::encode_events("worker.", events_of(2)));
  SubSocket::Received received;
  ASSERT_TRUE(receive_soon(sub, received));
  EXPECT_EQ(received.topic, "worker.");
  const auto decoded = protocol::decode_events(std::as_bytes(std::span(received.position)),
                                               std::as_bytes(std::span(received.body)));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().text;
  EXPECT_EQ(*decoded, events_of(2));
  EXPECT_FALSE(sub.receive(received));
}

TEST_F(PubSub, GarbageFromSubscribersIsSkipped) {
  auto peer = raw_peer(context_, zmq::socket_type::xsub, xpub_.endpoint());
  const auto send = [&peer](const std::string& bytes, zmq::send_flags flags) {
    ASSERT_TRUE(peer.send(zmq::buffer(bytes), flags).has_value());
  };
  send("hello", zmq::send_flags::none);
  send("", zmq::send_flags::none);
  send("part", zmq::send_flags::sndmore);
  send("part", zmq::send_flags::none);
  send("\x01" + std::string(limits::kMaxTopicBytes + 1, 't'), zmq::send_flags::none);
  const std::string longest(limits::kMaxTopicBytes, 't');
  send("\x01" + longest, zmq::send_flags::none);
  expect_subscription(longest, true);
}

TEST_F(PubSub, OnlyThreeFramesAreAnEvent) {
  zmq::socket_t pub(context_.native(), zmq::socket_type::xpub);
  pub.set(zmq::sockopt::linger, 0);
  pub.bind("tcp://127.0.0.1:*");
  SubSocket sub(context_, quick_tuning());
  ASSERT_TRUE(sub.connect(pub.get(zmq::sockopt::last_endpoint)).has_value());
  sub.subscribe("t.");
  zmq::message_t subscription;
  ASSERT_TRUE(pub.recv(subscription).has_value());
  for (const std::size_t count : {1U, 2U, 4U, 1000U, 3U}) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::string frame = "t." + std::to_string(count);
      const auto flags = i + 1 < count ? zmq::send_flags::sndmore : zmq::send_flags::none;
      ASSERT_TRUE(pub.send(zmq::buffer(frame), flags).has_value());
    }
  }
  SubSocket::Received received;
  ASSERT_TRUE(receive_soon(sub, received));
  EXPECT_EQ(received.topic, "t.3");
  EXPECT_EQ(received.body, "t.3");
}

TEST_F(PubSub, AnAddressInUseIsRefused) {
  XpubSocket second(context_, quick_tuning());
  const auto bound = second.bind(xpub_.endpoint());
  ASSERT_FALSE(bound.has_value());
  EXPECT_EQ(bound.error().field, "bind");
}

TEST_F(PubSub, WhatWaitsForSubscribersIsBoundedInBytes) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "to copy 400 MB takes longer here than TCP waits for a peer that does not read";
#endif
  SocketTuning narrow = quick_tuning();
  narrow.receive_high_water = 1;
  auto slow = std::make_unique<SubSocket>(context_, narrow);
  ASSERT_TRUE(slow->connect(xpub_.endpoint()).has_value());
  slow->subscribe("worker.");
  expect_subscription("worker.", true);
  auto events = protocol::encode_events("worker.", events_of(1));
  events.body.assign(1U << 20U, 'x');
  for (int i = 0; i < 400; ++i) xpub_.publish(events);
  EXPECT_GT(xpub_.queued_bytes(), 100U << 20U);
  EXPECT_LE(xpub_.queued_bytes(), limits::kMaxEventQueueBytes + events.body.size());
  slow.reset();
  EXPECT_TRUE(wait_until(xpub_.native(), [this] { return xpub_.queued_bytes() == 0; }));
}

TEST_F(PubSub, ASlowSubscriberStopsNobody) {
  SocketTuning narrow = quick_tuning();
  narrow.receive_high_water = 2;
  SubSocket slow(context_, narrow);
  ASSERT_TRUE(slow.connect(xpub_.endpoint()).has_value());
  slow.subscribe("worker.");
  expect_subscription("worker.", true);
  SubSocket quick(context_, quick_tuning());
  ASSERT_TRUE(quick.connect(xpub_.endpoint()).has_value());
  quick.subscribe("worker.");
  expect_subscription("worker.", true);
  SubSocket::Received received;
  for (std::uint64_t seq = 1; seq <= 2000; ++seq) {
    xpub_.publish(protocol::encode_events("worker.", events_of(seq)));
    ASSERT_TRUE(receive_soon(quick, received));
  }
}

}  // namespace
}  // namespace taskpipe::net
