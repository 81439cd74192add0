#include "common/bulk/access.hpp"

#include <gtest/gtest.h>

namespace taskpipe::bulk {
namespace {

TEST(BulkAccess, AWildcardHostIsTheBrokers) {
  EXPECT_EQ(reachable("tcp://0.0.0.0:7613", "tcp://sim:7611"), "tcp://sim:7613");
  EXPECT_EQ(reachable("tcp://*:7613", "tcp://10.0.0.1:7611"), "tcp://10.0.0.1:7613");
  EXPECT_EQ(reachable("tcp://[::]:7613", "tcp://[fe80::1]:7611"), "tcp://[fe80::1]:7613");
}

TEST(BulkAccess, AnyOtherHostIsTaken) {
  EXPECT_EQ(reachable("tcp://store:7613", "tcp://sim:7611"), "tcp://store:7613");
  EXPECT_EQ(reachable("ipc:///run/x", "tcp://sim:7611"), "ipc:///run/x");
  EXPECT_EQ(reachable("", "tcp://sim:7611"), "");
  EXPECT_EQ(reachable("tcp://*:7613", "ipc:///run/x"), "");
}

}  // namespace
}  // namespace taskpipe::bulk
