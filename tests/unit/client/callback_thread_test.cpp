#include "client/src/callback_thread.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace taskpipe::client {
namespace {

TEST(CallbackThreadTest, RunsInOrderOnAThreadOfItsOwn) {
  std::vector<int> ran;
  std::thread::id on;
  CallbackThread callbacks;
  for (int i = 0; i < 3; ++i) {
    callbacks.post([&, i] {
      ran.push_back(i);
      on = std::this_thread::get_id();
    });
  }
  callbacks.stop();
  EXPECT_EQ(ran, (std::vector{0, 1, 2}));
  EXPECT_NE(on, std::this_thread::get_id());
}

TEST(CallbackThreadTest, AfterItsEndTheCallerRunsWhatItPosts) {
  CallbackThread callbacks;
  callbacks.stop();
  std::thread::id on;
  callbacks.post([&] { on = std::this_thread::get_id(); });
  EXPECT_EQ(on, std::this_thread::get_id());
}

}  // namespace
}  // namespace taskpipe::client
