#include "common/net/endpoint.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/unit/net/loopback.hpp"

namespace taskpipe::net {
namespace {

TEST(Endpoint, TcpAddressesAreTakenApart) {
  EXPECT_EQ(*parse_tcp("tcp://127.0.0.1:7610"), (TcpAddress{"127.0.0.1", 7610}));
  EXPECT_EQ(*parse_tcp("tcp://broker.example:1"), (TcpAddress{"broker.example", 1}));
  EXPECT_EQ(*parse_tcp("tcp://[::1]:65535"), (TcpAddress{"::1", 65535}));
}

TEST(Endpoint, AnythingElseIsRefused) {
  for (const std::string endpoint : {"",
                                     "127.0.0.1:7610",
                                     "udp://127.0.0.1:7610",
                                     "tcp://",
                                     "tcp://:7610",
                                     "tcp://host",
                                     "tcp://host:",
                                     "tcp://host:0",
                                     "tcp://host:65536",
                                     "tcp://host:-1",
                                     "tcp://host:76 10",
                                     "tcp://host:7610x",
                                     "tcp://host:*",
                                     "tcp://*:7610",
                                     "tcp://::1:7610",
                                     "tcp://[::1]",
                                     "tcp://a b:1",
                                     "tcp://a/b:1",
                                     "tcp://a;b:1",
                                     "TCP://host:1"}) {
    const auto address = parse_tcp(endpoint);
    ASSERT_FALSE(address.has_value()) << endpoint;
    EXPECT_EQ(address.error().code, ErrorCode::invalid);
    EXPECT_EQ(address.error().field, "broker");
    EXPECT_NE(address.error().text.find(endpoint), std::string::npos);
  }
}

TEST(Endpoint, NumericAddressesResolveToThemselves) {
  EXPECT_EQ(*resolve("tcp://127.0.0.1:7610"), "tcp://127.0.0.1:7610");
  EXPECT_EQ(*resolve("tcp://[::1]:7610"), "tcp://[::1]:7610");
}

TEST(Endpoint, LocalhostIsIpv4) {
  EXPECT_EQ(*resolve("tcp://localhost:7610"), "tcp://127.0.0.1:7610");
}

TEST(Endpoint, OtherTransportsStayAsTheyAre) {
  EXPECT_EQ(*resolve("ipc:///tmp/x"), "ipc:///tmp/x");
  EXPECT_EQ(*resolve("inproc://x"), "inproc://x");
  EXPECT_FALSE(resolve("ipc://").has_value());
  EXPECT_FALSE(resolve("inproc://").has_value());
}

TEST(Endpoint, NamesThatCannotBeResolvedAreRefused) {
  // Two dots in a row are no name, so that no name server is asked.
  const auto resolved = resolve("tcp://no..name:7610");
  ASSERT_FALSE(resolved.has_value());
  EXPECT_EQ(resolved.error().field, "broker");
  EXPECT_NE(resolved.error().text.find("check the host name"), std::string::npos);
}

TEST(Endpoint, OnlyBracketsNeedIpv6) {
  EXPECT_TRUE(is_ipv6("tcp://[::1]:7610"));
  EXPECT_FALSE(is_ipv6("tcp://127.0.0.1:7610"));
  EXPECT_FALSE(is_ipv6("ipc:///tmp/[x]"));
}

TEST(Endpoint, BindErrorsNameTheRemedy) {
  for (const int number : {EADDRINUSE, EADDRNOTAVAIL, ENODEV, EACCES, ENOENT, ENAMETOOLONG, EINVAL,
                           EPROTONOSUPPORT, EIO}) {
    const Error error = bind_error("tcp://127.0.0.1:7610", number);
    EXPECT_EQ(error.code, ErrorCode::invalid);
    EXPECT_EQ(error.field, "bind");
    EXPECT_NE(error.text.find("tcp://127.0.0.1:7610"), std::string::npos);
  }
}

TEST(Endpoint, BadAddressesNeverReachLibzmq) {
  Context context;
  for (const std::string endpoint : {"", "nonsense", "tcp://host", "tcp://no..name:1", "pgm://x"}) {
    DealerSocket dealer(context, {});
    EXPECT_EQ(dealer.connect(endpoint).error().field, "broker") << endpoint;
    SubSocket sub(context, {});
    EXPECT_EQ(sub.connect(endpoint).error().field, "broker") << endpoint;
  }
}

}  // namespace
}  // namespace taskpipe::net
