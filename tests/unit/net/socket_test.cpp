#include "common/net/socket.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

#include "common/model/limits.hpp"
#include "tests/unit/net/loopback.hpp"

namespace taskpipe::net {
namespace {

using testing::ping;
using testing::ping_time;
using testing::quick_tuning;
using testing::receive_probe;
using testing::receive_soon;
using testing::wait_until;

class Loopback : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(router_.bind("tcp://127.0.0.1:*").has_value()); }

  Context context_;
  RouterSocket router_{context_, quick_tuning()};
  ReceivedMessage received_;
};

TEST_F(Loopback, ADealerAnnouncesItselfByAProbe) {
  DealerSocket dealer(context_, quick_tuning());
  ASSERT_TRUE(dealer.connect(router_.endpoint()).has_value());
  ASSERT_TRUE(receive_probe(router_, dealer, received_));
  EXPECT_NE(received_.routing, 0U);
  EXPECT_FALSE(received_.oversized);
}

TEST_F(Loopback, MessagesTravelBothWays) {
  DealerSocket dealer(context_, quick_tuning());
  ASSERT_TRUE(dealer.connect(router_.endpoint()).has_value());
  ASSERT_TRUE(receive_probe(router_, dealer, received_));
  const std::uint64_t routing = received_.routing;
  ASSERT_EQ(router_.send(routing, ping(5)), SendStatus::sent);
  ASSERT_TRUE(receive_soon(dealer, received_));
  EXPECT_EQ(ping_time(received_), 5U);
  ASSERT_EQ(dealer.send(ping(6)), SendStatus::sent);
  ASSERT_TRUE(receive_soon(router_, received_));
  EXPECT_EQ(ping_time(received_), 6U);
  EXPECT_EQ(received_.routing, routing);
  EXPECT_FALSE(router_.receive(received_));
}

TEST_F(Loopback, BlobsArriveAsFramesOfTheirOwn) {
  DealerSocket dealer(context_, quick_tuning());
  ASSERT_TRUE(dealer.connect(router_.endpoint()).has_value());
  ASSERT_TRUE(receive_probe(router_, dealer, received_));
  Submit submit;
  submit.specs = {std::make_shared<const TaskSpec>()};
  for (std::uint32_t i = 0; i < 3; ++i) {
    const std::size_t size = limits::kMaxInlinePayloadBytes + 1 + 100'000 * std::size_t{i};
    submit.items.push_back({TaskId(1, i), 0, Payload(std::string(size, 'x')), {}});
  }
  {
    // The blobs outlive their owner: libzmq holds on to them.
    const auto encoded = protocol::encode(submit, Correlation(1), SessionId(2));
    ASSERT_EQ(dealer.send(*encoded), SendStatus::sent);
  }
  ASSERT_TRUE(receive_soon(router_, received_));
  EXPECT_EQ(received_.frame_count, 5U);
  const auto decoded = protocol::decode(received_.frames());
  ASSERT_TRUE(decoded.has_value()) << decoded.error().text;
  EXPECT_TRUE(std::get<Submit>(decoded->message) == submit);
}

TEST_F(Loopback, ReceivedMessagesAreReused) {
  DealerSocket dealer(context_, quick_tuning());
  ASSERT_TRUE(dealer.connect(router_.endpoint()).has_value());
  ASSERT_TRUE(receive_probe(router_, dealer, received_));
  auto large = ping(1);
  large.body.assign(limits::kMaxFrameBytes, 'x');
  ASSERT_EQ(dealer.send(large), SendStatus::sent);
  ASSERT_TRUE(receive_soon(router_, received_));
  EXPECT_EQ(received_.storage[1].size(), limits::kMaxFrameBytes);
  ASSERT_EQ(dealer.send(ping(2)), SendStatus::sent);
  ASSERT_TRUE(receive_soon(router_, received_));
  EXPECT_EQ(ping_time(received_), 2U);
  EXPECT_LT(received_.storage[1].capacity(), limits::kMaxBatchBytes);
}

TEST_F(Loopback, AnUnknownPeerIsUnreachable) {
  EXPECT_EQ(router_.send(0x12345, ping(1)), SendStatus::unreachable);
  EXPECT_EQ(router_.send(0, ping(1)), SendStatus::unreachable);
}

TEST_F(Loopback, APeerThatLeftBecomesUnreachable) {
  std::uint64_t routing = 0;
  {
    DealerSocket dealer(context_, quick_tuning());
    ASSERT_TRUE(dealer.connect(router_.endpoint()).has_value());
    ASSERT_TRUE(receive_probe(router_, dealer, received_));
    routing = received_.routing;
  }
  EXPECT_TRUE(wait_until(
      router_.native(), [&] { return router_.send(routing, ping(1)) == SendStatus::unreachable; }));
}

TEST_F(Loopback, AReconnectedPeerProbesAgainUnderANewId) {
  DealerSocket dealer(context_, quick_tuning());
  ASSERT_TRUE(dealer.connect(router_.endpoint()).has_value());
  ASSERT_TRUE(receive_probe(router_, dealer, received_));
  const std::string endpoint = router_.endpoint();
  router_.native().close();

  RouterSocket restarted(context_, quick_tuning());
  // The port is free once the closed socket is gone, which the context's thread does in its time.
  ASSERT_TRUE(wait_until(restarted.native(), [&] { return restarted.bind(endpoint).has_value(); }));
  EXPECT_TRUE(receive_probe(restarted, dealer, received_));
}

TEST_F(Loopback, WithoutAConnectionNothingIsQueued) {
  DealerSocket dealer(context_, quick_tuning());
  ASSERT_TRUE(dealer.connect("tcp://127.0.0.1:1").has_value());
  EXPECT_EQ(dealer.send(ping(1)), SendStatus::unreachable);
}

// The high-water mark counts messages; these few would take a gigabyte.
TEST_F(Loopback, WhatWaitsForOnePeerIsBoundedInBytes) {
  SocketTuning tuning = quick_tuning();
  tuning.receive_high_water = 1;
  tuning.most_queued_bytes = 8U << 20U;
  RouterSocket router(context_, tuning);
  ASSERT_TRUE(router.bind("tcp://127.0.0.1:*").has_value());
  auto slow = std::make_unique<DealerSocket>(context_, tuning);
  DealerSocket quick(context_, tuning);
  ASSERT_TRUE(slow->connect(router.endpoint()).has_value());
  ASSERT_TRUE(receive_probe(router, *slow, received_));
  const std::uint64_t slow_routing = received_.routing;
  ASSERT_TRUE(quick.connect(router.endpoint()).has_value());
  ASSERT_TRUE(receive_probe(router, quick, received_));
  const std::uint64_t quick_routing = received_.routing;
  auto message = ping(1);
  message.body.assign(1U << 20U, 'x');
  message.blobs.assign(1, Payload(std::string(1U << 20U, 'b')));
  int sent = 0;
  while (router.send(slow_routing, message) == SendStatus::sent) ASSERT_LT(++sent, 500);
  EXPECT_GE(sent, 4);
  EXPECT_LE(router.queued_bytes(), tuning.most_queued_bytes + (2U << 20U));
  EXPECT_EQ(router.send(slow_routing, ping(2)), SendStatus::sent) << "a short one tells it";
  // The others have a measure of their own.
  EXPECT_EQ(router.send(quick_routing, message), SendStatus::sent);
  ASSERT_TRUE(receive_soon(quick, received_));
  // What is given up is let go of.
  slow.reset();
  EXPECT_TRUE(wait_until(router.native(), [&] { return router.queued_bytes() == 0; }));
}

TEST(PeerMeters, ForgetWhoHasNothingQueued) {
  PeerMeters meters;
  for (std::uint64_t routing = 0; routing < 10'000; ++routing) {
    const auto meter = meters.of(routing);
    meter->add(100);
    if (routing >= 10) meter->subtract(100);
  }
  EXPECT_LT(meters.size(), 200U);
  EXPECT_EQ(meters.bytes(), 1000U);
  EXPECT_EQ(meters.of(3)->bytes(), 100U) << "one with something queued is kept";
}

TEST_F(Loopback, AFullQueueIsUnreachableAndHarmsNobodyElse) {
  SocketTuning narrow = quick_tuning();
  narrow.send_high_water = 2;
  narrow.receive_high_water = 2;
  RouterSocket router(context_, narrow);
  ASSERT_TRUE(router.bind("tcp://127.0.0.1:*").has_value());
  DealerSocket slow(context_, narrow);
  DealerSocket quick(context_, narrow);
  ASSERT_TRUE(slow.connect(router.endpoint()).has_value());
  ASSERT_TRUE(receive_probe(router, slow, received_));
  const std::uint64_t slow_routing = received_.routing;
  ASSERT_TRUE(quick.connect(router.endpoint()).has_value());
  ASSERT_TRUE(receive_probe(router, quick, received_));
  const std::uint64_t quick_routing = received_.routing;

  // Large blobs, so that the kernel's buffers fill up soon.
  std::uint64_t sent = 0;
  auto message = ping(0);
  for (;;) {
    message = ping(sent + 1);
    message.body.resize(limits::kMaxFrameBytes, '\0');
    if (router.send(slow_routing, message) == SendStatus::unreachable) break;
    ASSERT_LT(++sent, 10'000U);
  }
  ASSERT_GT(sent, 0U);
  ASSERT_EQ(router.send(quick_routing, ping(77)), SendStatus::sent);
  ASSERT_TRUE(receive_soon(quick, received_));
  EXPECT_EQ(ping_time(received_), 77U);
  // What was accepted arrives whole and in order.
  for (std::uint64_t t = 1; t <= sent; ++t) {
    ASSERT_TRUE(receive_soon(slow, received_));
    EXPECT_EQ(received_.frame_count, 2U);
    EXPECT_EQ(received_.storage[1].substr(0, 3), ping(t).body.substr(0, 3));
  }
}

TEST(RouterSocket, AnAddressInUseNamesTheRemedy) {
  Context context;
  RouterSocket first(context, {});
  ASSERT_TRUE(first.bind("tcp://127.0.0.1:*").has_value());
  RouterSocket second(context, {});
  const auto bound = second.bind(first.endpoint());
  ASSERT_FALSE(bound.has_value());
  EXPECT_EQ(bound.error().code, ErrorCode::invalid);
  EXPECT_EQ(bound.error().field, "bind");
  EXPECT_NE(bound.error().text.find("another broker"), std::string::npos);
  EXPECT_NE(bound.error().text.find("choose another address"), std::string::npos);
}

// Asked of the system itself, so that no mistake of ours passes for a host without it.
bool has_ipv6() {
  const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  ::sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool bound = ::bind(fd, reinterpret_cast<const ::sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return bound;
}

// `[::]` takes peers of both families, `[::1]` of the one.
TEST(RouterSocket, ListensOnBothFamiliesAtOnce) {
  if (!has_ipv6()) GTEST_SKIP() << "this host has no IPv6";
  Context context;
  ReceivedMessage received;
  RouterSocket six(context, quick_tuning());
  ASSERT_TRUE(six.bind("tcp://[::1]:*").has_value());
  DealerSocket local(context, quick_tuning());
  ASSERT_TRUE(local.connect(six.endpoint()).has_value());
  EXPECT_TRUE(receive_probe(six, local, received));
  RouterSocket both(context, quick_tuning());
  ASSERT_TRUE(both.bind("tcp://[::]:*").has_value());
  const std::string endpoint = both.endpoint();
  const std::string port = endpoint.substr(endpoint.rfind(':'));
  for (const std::string host : {"[::1]", "127.0.0.1"}) {
    DealerSocket dealer(context, quick_tuning());
    ASSERT_TRUE(dealer.connect("tcp://" + host + port).has_value());
    ASSERT_TRUE(receive_probe(both, dealer, received)) << host;
    ASSERT_EQ(dealer.send(ping(6)), SendStatus::sent);
    ASSERT_TRUE(receive_soon(both, received));
    EXPECT_EQ(ping_time(received), 6U);
  }
}

TEST(RouterSocket, ASocketFileInUseIsNotTakenOver) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("taskpipe-net-test-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const std::string endpoint = "ipc://" + (folder / "broker.sock").string();
  {
    Context context;
    RouterSocket first(context, {});
    ASSERT_TRUE(first.bind(endpoint).has_value());
    RouterSocket second(context, {});
    const auto bound = second.bind(endpoint);
    ASSERT_FALSE(bound.has_value());
    EXPECT_NE(bound.error().text.find("another broker"), std::string::npos);
    // The first one still serves.
    DealerSocket dealer(context, quick_tuning());
    ASSERT_TRUE(dealer.connect(endpoint).has_value());
    ReceivedMessage received;
    EXPECT_TRUE(receive_probe(first, dealer, received));
  }
  std::filesystem::remove_all(folder);
}

TEST(RouterSocket, BadAddressesAreRefused) {
  Context context;
  for (const std::string endpoint :
       {"", "7610", "tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:port", "tcp://127.0.0.1:99999",
        "http://127.0.0.1:7610", "tcp://192.0.2.1:7610", "ipc:///no/such/folder/socket",
        "tcp://no-such-interface:7610"}) {
    RouterSocket router(context, {});
    const auto bound = router.bind(endpoint);
    ASSERT_FALSE(bound.has_value()) << endpoint;
    EXPECT_EQ(bound.error().code, ErrorCode::invalid);
    EXPECT_EQ(bound.error().field, "bind");
  }
}

TEST(RouterSocket, OptionsFollowTheRules) {
  Context context;
  SocketTuning tuning;
  RouterSocket router(context, tuning);
  EXPECT_EQ(router.native().get(zmq::sockopt::heartbeat_ivl), 0);
  EXPECT_EQ(router.native().get(zmq::sockopt::linger), 0);
  EXPECT_EQ(router.native().get(zmq::sockopt::backlog), 4096);
  EXPECT_EQ(router.native().get(zmq::sockopt::sndhwm), 10'000);
  EXPECT_EQ(router.native().get(zmq::sockopt::rcvhwm), 1'000);
  EXPECT_EQ(router.native().get(zmq::sockopt::handshake_ivl), 10'000);
  EXPECT_EQ(router.native().get(zmq::sockopt::maxmsgsize),
            static_cast<std::int64_t>(limits::kMaxFrameBytes));
  EXPECT_EQ(router.native().get(zmq::sockopt::tcp_keepalive), 1);
  EXPECT_EQ(router.native().get(zmq::sockopt::tcp_maxrt), 20'000);
  DealerSocket dealer(context, tuning);
  SubSocket sub(context, tuning);
  XpubSocket xpub(context, tuning);
  for (zmq::socket_t* socket : {&dealer.native(), &sub.native(), &xpub.native()}) {
    EXPECT_EQ(socket->get(zmq::sockopt::heartbeat_ivl), 0);
    EXPECT_EQ(socket->get(zmq::sockopt::linger), 0);
    EXPECT_EQ(socket->get(zmq::sockopt::maxmsgsize),
              static_cast<std::int64_t>(limits::kMaxFrameBytes));
  }
  EXPECT_EQ(dealer.native().get(zmq::sockopt::immediate), true);
  EXPECT_EQ(dealer.native().get(zmq::sockopt::reconnect_ivl), 1'000);
  EXPECT_EQ(dealer.native().get(zmq::sockopt::reconnect_ivl_max), 15'000);
  EXPECT_EQ(dealer.native().get(zmq::sockopt::connect_timeout), 5'000);
}

}  // namespace
}  // namespace taskpipe::net
