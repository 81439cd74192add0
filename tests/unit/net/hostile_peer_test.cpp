// Peers that follow no rule: nothing they send may stop, fill or confuse a ROUTER.
#include <thread>

#include "common/model/limits.hpp"
#include "tests/unit/net/loopback.hpp"

namespace taskpipe::net {
namespace {

using testing::ping;
using testing::ping_time;
using testing::quick_tuning;
using testing::raw_peer;
using testing::receive_probe;
using testing::receive_soon;

class HostilePeer : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(router_.bind("tcp://127.0.0.1:*").has_value());
    ASSERT_TRUE(dealer_.connect(router_.endpoint()).has_value());
    ASSERT_TRUE(receive_probe(router_, dealer_, received_));
    good_routing_ = received_.routing;
  }

  // A well-behaved peer is served as if nothing had happened.
  void expect_service(std::uint64_t t) {
    ASSERT_EQ(dealer_.send(ping(t)), SendStatus::sent);
    ASSERT_TRUE(receive_soon(router_, received_));
    EXPECT_EQ(ping_time(received_), t);
    EXPECT_EQ(received_.routing, good_routing_);
    EXPECT_FALSE(received_.oversized);
  }

  static void send_frames(zmq::socket_t& socket, std::size_t count, std::size_t bytes) {
    const std::string frame(bytes, 'x');
    for (std::size_t i = 0; i < count; ++i) {
      const auto flags = i + 1 < count ? zmq::send_flags::sndmore : zmq::send_flags::none;
      ASSERT_TRUE(socket.send(zmq::buffer(frame), flags).has_value());
    }
  }

  Context context_;
  RouterSocket router_{context_, quick_tuning()};
  DealerSocket dealer_{context_, quick_tuning()};
  ReceivedMessage received_;
  std::uint64_t good_routing_ = 0;
};

TEST_F(HostilePeer, AnEndlessMultipartIsCutAndForgotten) {
  auto peer = raw_peer(context_, zmq::socket_type::dealer, router_.endpoint());
  send_frames(peer, 10'000, 100);
  ASSERT_TRUE(receive_soon(router_, received_));
  EXPECT_TRUE(received_.oversized);
  EXPECT_EQ(received_.frame_count, 2 + limits::kMaxBlobs);
  EXPECT_LE(received_.storage.size(), 2 + limits::kMaxBlobs);
  EXPECT_FALSE(router_.receive(received_));
  expect_service(1);
}

TEST_F(HostilePeer, AsManyFramesAsAllowedAreKept) {
  auto peer = raw_peer(context_, zmq::socket_type::dealer, router_.endpoint());
  send_frames(peer, 2 + limits::kMaxBlobs, 1);
  ASSERT_TRUE(receive_soon(router_, received_));
  EXPECT_FALSE(received_.oversized);
  EXPECT_EQ(received_.frame_count, 2 + limits::kMaxBlobs);
  send_frames(peer, 3 + limits::kMaxBlobs, 1);
  ASSERT_TRUE(receive_soon(router_, received_));
  EXPECT_TRUE(received_.oversized);
  expect_service(1);
}

TEST_F(HostilePeer, ManyLargeFramesAreCutByTheirSum) {
  auto peer = raw_peer(context_, zmq::socket_type::dealer, router_.endpoint());
  const std::size_t enough = limits::kMaxMessageBytes / limits::kMaxFrameBytes + 1;
  send_frames(peer, enough, limits::kMaxFrameBytes);
  ASSERT_TRUE(receive_soon(router_, received_));
  EXPECT_TRUE(received_.oversized);
  EXPECT_LT(received_.frame_count, enough);
  expect_service(1);
}

TEST_F(HostilePeer, AnOversizeFrameCostsTheSenderItsConnection) {
  auto peer = raw_peer(context_, zmq::socket_type::dealer, router_.endpoint());
  send_frames(peer, 1, 1);
  ASSERT_TRUE(receive_soon(router_, received_));
  const std::uint64_t before = received_.routing;
  send_frames(peer, 1, limits::kMaxFrameBytes + 1);
  // The frame never arrives; the peer comes back under another id.
  std::uint64_t after = before;
  EXPECT_TRUE(testing::wait_until(router_.native(), [&] {
    zmq::message_t small("y", 1);
    // Not while the old connection still looks alive: what it queues is lost.
    static_cast<void>(peer.send(small, zmq::send_flags::dontwait));
    if (!router_.receive(received_)) return false;
    EXPECT_LE(received_.storage[0].size(), 1U);
    after = received_.routing;
    return after != before;
  }));
  EXPECT_NE(after, before);
  while (router_.receive(received_)) {
  }
  peer.close();
  ASSERT_EQ(router_.send(good_routing_, ping(3)), SendStatus::sent);
  ASSERT_TRUE(receive_soon(dealer_, received_));
  EXPECT_EQ(ping_time(received_), 3U);
}

TEST_F(HostilePeer, PeersWithARoutingIdOfTheirOwnAreIgnored) {
  for (const std::string id : {"a", "abcde", "a longer routing id"}) {
    zmq::socket_t peer(context_.native(), zmq::socket_type::dealer);
    peer.set(zmq::sockopt::linger, 1000);
    peer.set(zmq::sockopt::routing_id, id);
    peer.connect(router_.endpoint());
    send_frames(peer, 2, 24);
  }
  // Whether their messages come before or after ours, ours is the only one that is told.
  for (std::uint64_t t = 1; t <= 20; ++t) expect_service(t);
}

TEST_F(HostilePeer, ProbesAndEmptyFramesAreToldApart) {
  auto peer = raw_peer(context_, zmq::socket_type::dealer, router_.endpoint());
  send_frames(peer, 1, 0);
  ASSERT_TRUE(receive_soon(router_, received_));
  EXPECT_TRUE(received_.is_probe());
  send_frames(peer, 2, 0);
  ASSERT_TRUE(receive_soon(router_, received_));
  EXPECT_FALSE(received_.is_probe());
  EXPECT_FALSE(protocol::decode(received_.frames()).has_value());
}

TEST_F(HostilePeer, APeerWithHeartbeatsOfItsOwnDoesNoHarm) {
  zmq::socket_t peer(context_.native(), zmq::socket_type::dealer);
  peer.set(zmq::sockopt::linger, 0);
  peer.set(zmq::sockopt::heartbeat_ivl, 10);
  peer.set(zmq::sockopt::heartbeat_ttl, 100);
  peer.connect(router_.endpoint());
  for (std::uint64_t t = 1; t <= 50; ++t) {
    send_frames(peer, 1, 3);
    ASSERT_TRUE(receive_soon(router_, received_));
    EXPECT_EQ(received_.storage[0], "xxx");
  }
  peer.close();
  expect_service(1);
}

// Where the ROUTER had heartbeats of its own, libzmq would abort the process (or, at best, take the
// peer for dead and lose what it sent). The peer has none either: a PING of its own among messages
// that nobody has read is what libzmq cannot survive, whatever we do (docs/security.md).
TEST_F(HostilePeer, APeerThatFillsItsQueueAndClosesDoesNoHarm) {
  constexpr std::uint64_t kMessages = 1000;
  SocketTuning narrow = quick_tuning();
  narrow.receive_high_water = 2;
  RouterSocket router(context_, narrow);
  ASSERT_TRUE(router.bind("tcp://127.0.0.1:*").has_value());
  DealerSocket good(context_, narrow);
  ASSERT_TRUE(good.connect(router.endpoint()).has_value());
  ASSERT_TRUE(receive_probe(router, good, received_));
  const std::uint64_t good_routing = received_.routing;
  {
    zmq::context_t elsewhere;  // is gone when everything has been handed to TCP
    zmq::socket_t peer(elsewhere, zmq::socket_type::dealer);
    peer.set(zmq::sockopt::linger, -1);
    peer.set(zmq::sockopt::sndhwm, 0);
    peer.connect(router.endpoint());
    for (std::uint64_t i = 0; i < kMessages; ++i) {
      ASSERT_TRUE(peer.send(zmq::buffer(std::to_string(i)), zmq::send_flags::none).has_value());
    }
  }
  // For so long its messages lie there unread, and it is gone: many intervals of what heartbeats
  // somebody may come to set.
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  for (std::uint64_t i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(receive_soon(router, received_));
    ASSERT_EQ(received_.storage[0], std::to_string(i));
    ASSERT_NE(received_.routing, good_routing);
  }
  ASSERT_EQ(good.send(ping(7)), SendStatus::sent);
  ASSERT_TRUE(receive_soon(router, received_));
  EXPECT_EQ(ping_time(received_), 7U);
  EXPECT_EQ(received_.routing, good_routing);
}

}  // namespace
}  // namespace taskpipe::net
