#include "client/src/endpoint.hpp"

#include <gtest/gtest.h>

namespace taskpipe::client {
namespace {

std::string parsed(std::string_view text) {
  const auto endpoint = parse_endpoint(text, kClientPort, "broker");
  return endpoint ? endpoint->to_string() : "refused: " + endpoint.error().field;
}

TEST(EndpointTest, AcceptsWhatPeopleWrite) {
  EXPECT_EQ(parsed("localhost"), "tcp://localhost:7610");
  EXPECT_EQ(parsed("node1:8000"), "tcp://node1:8000");
  EXPECT_EQ(parsed("tcp://node1"), "tcp://node1:7610");
  EXPECT_EQ(parsed("tcp://127.0.0.1:65535"), "tcp://127.0.0.1:65535");
  EXPECT_EQ(parsed("[::1]"), "tcp://[::1]:7610");
  EXPECT_EQ(parsed("tcp://[fe80::1%eth0]:1"), "tcp://[fe80::1%eth0]:1");
  EXPECT_EQ(parsed("ipc:///run/taskpipe.sock"), "ipc:///run/taskpipe.sock");
}

TEST(EndpointTest, RefusesTheRestNamingTheField) {
  for (const char* text :
       {"", "tcp://", ":7610", "host:", "host:0", "host:65536", "host:-1", "host:7610x", "ho st",
        "http://host", "host/path", "::1", "[::1", "[::1]7", "[]", "ipc://", "a\nb"}) {
    EXPECT_EQ(parsed(text), "refused: broker") << text;
  }
  EXPECT_EQ(parsed("ipc://" + std::string(200, 'x')), "refused: broker");
}

TEST(EndpointTest, ErrorsQuoteTheTextAndSayWhatToWrite) {
  const auto endpoint = parse_endpoint("host:nine", kClientPort, "broker");
  ASSERT_FALSE(endpoint);
  EXPECT_NE(endpoint.error().text.find("host:nine"), std::string::npos);
  EXPECT_NE(endpoint.error().text.find("host:port"), std::string::npos);
}

TEST(EndpointTest, EventsComeFromWhoeverKnows) {
  const Endpoint broker{"node1", 7610, {}};
  EXPECT_EQ(event_endpoint(broker, "", ""), "tcp://node1:7612");
  EXPECT_EQ(event_endpoint(broker, "", "tcp://node2:9000"), "tcp://node2:9000");
  EXPECT_EQ(event_endpoint(broker, "node3", "tcp://node2:9000"), "tcp://node3:7612");
  EXPECT_EQ(event_endpoint(broker, "", "tcp://*:9000"), "tcp://node1:9000");
  EXPECT_EQ(event_endpoint(broker, "", "tcp://0.0.0.0:9000"), "tcp://node1:9000");
  EXPECT_EQ(event_endpoint(broker, "", "tcp://[::]:9000"), "tcp://node1:9000");
  EXPECT_EQ(event_endpoint(broker, "", "nonsense:nonsense"), "tcp://node1:7612");
  EXPECT_EQ(event_endpoint(Endpoint{{}, 0, "/run/x"}, "", ""), "");
  EXPECT_EQ(event_endpoint(Endpoint{{}, 0, "/run/x"}, "", "ipc:///run/y"), "ipc:///run/y");
  EXPECT_EQ(event_endpoint(Endpoint{"h", 65535, {}}, "", ""), "");
}

}  // namespace
}  // namespace taskpipe::client
