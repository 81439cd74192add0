#include "worker/spawner/credentials.hpp"

#include <gtest/gtest.h>

namespace taskpipe::worker {
namespace {

TEST(Credentials, AreReadAsTheyAreWritten) {
  for (const char* text : {"64321:64322:", "64321:64322:64322", "1:2:3,4,5"}) {
    const auto parsed = parse_credentials(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(to_text(*parsed), text);
  }
  EXPECT_EQ(parse_credentials("1:2:3,4")->groups, (std::vector<std::uint32_t>{3, 4}));
}

TEST(Credentials, AreNeverRootsNorHalfRead) {
  for (const char* text : {"", "0:1:", "1:0:", "1:2:0", "1:2:3,0,4", "1", "1:2", "1:2:x", "1:2:3,",
                           "1:2:3 ", ":2:", "-1:2:", "4294967296:2:", "1:2:3,,4"}) {
    EXPECT_FALSE(parse_credentials(text)) << text;
  }
}

}  // namespace
}  // namespace taskpipe::worker
