#include "common/model/payload.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace taskpipe {
namespace {

TEST(Payload, EmptyIsNothing) {
  const Payload empty;
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(empty.size(), 0U);
  EXPECT_EQ(empty.text(), "");
  EXPECT_TRUE(empty.bytes().empty());
  EXPECT_EQ(Payload(""), empty);
  EXPECT_EQ(Payload(std::span<const std::byte>()), empty);
}

TEST(Payload, KeepsAnyBytes) {
  const std::string text("a\0\xFF", 3);
  const Payload payload{std::string_view(text)};
  EXPECT_EQ(payload.text(), text);
  EXPECT_EQ(payload.size(), 3U);
  EXPECT_EQ(payload.bytes()[2], std::byte{0xFF});
  EXPECT_EQ(Payload(payload.bytes()), payload);
}

TEST(Payload, CopiesShareTheBytes) {
  const Payload first("some bytes");
  const Payload second = first;
  EXPECT_EQ(first.bytes().data(), second.bytes().data());
  EXPECT_EQ(first, second);
  EXPECT_NE(first, Payload("other bytes"));
  EXPECT_EQ(first, Payload("some bytes")) << "equal by content";
}

TEST(Payload, OutlivesWhatItWasCopiedFrom) {
  Payload copy;
  {
    std::string source(1000, 'x');
    const Payload payload{std::string_view(source)};
    source.assign(1000, 'y');
    copy = payload;
  }
  EXPECT_EQ(copy.text(), std::string(1000, 'x'));
}

TEST(Payload, MovesLeaveNothingBehind) {
  Payload first("x");
  Payload second = std::move(first);
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): defined, and tested here
  first = std::move(second);
  EXPECT_EQ(first.text(), "x");
}

TEST(Payload, AssignsToItself) {
  Payload payload("x");
  const Payload& same = payload;
  payload = same;
  EXPECT_EQ(payload.text(), "x");
  payload = Payload("y");
  EXPECT_EQ(payload.text(), "y");
}

// Under the sanitizers: no race, no leak, no early release.
TEST(Payload, ThreadsShareAndDropTheirCopies) {
  constexpr int kThreads = 4;
  const std::string text(4096, 'x');
  for (int round = 0; round < 50; ++round) {
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    {
      const Payload shared{std::string_view(text)};
      for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([copy = shared, &text] {
          for (int i = 0; i < 100; ++i) {
            const Payload another = copy;
            const Payload moved = Payload(another);
            EXPECT_EQ(moved.text(), text);
          }
        });
      }
    }
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace taskpipe
