#include "worker/exec/tail_buffer.hpp"

#include <gtest/gtest.h>

#include <string>

namespace taskpipe::worker {
namespace {

TEST(TailBuffer, KeepsAllOfAShortStream) {
  TailBuffer tail(8);
  tail.append("abc");
  tail.append("de");
  EXPECT_EQ(tail.bytes(), "abcde");
}

TEST(TailBuffer, KeepsTheLastBytesHoweverTheyArrive) {
  const std::string text = "0123456789abcdefghijklmnopqrstuvwxyz";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    TailBuffer tail(8);
    for (std::size_t at = 0; at < text.size(); at += step) tail.append(text.substr(at, step));
    EXPECT_EQ(tail.bytes(), "stuvwxyz") << "step " << step;
  }
}

TEST(TailBuffer, StaysEmptyWithoutInput) {
  TailBuffer tail(8);
  tail.append("");
  EXPECT_EQ(tail.text(), "");
}

TEST(TailBuffer, DropsACharacterThatTheCutSplit) {
  TailBuffer tail(4);
  tail.append(std::string("\xE2\x82\xAC") + "abc");  // the euro sign, cut after two bytes
  EXPECT_EQ(tail.text(), "abc");
}

TEST(TailBuffer, ReplacesInvalidBytes) {
  TailBuffer tail(16);
  tail.append(std::string("a\xFF") + "z\x80");
  EXPECT_EQ(tail.text(), std::string("a\xEF\xBF\xBD") + "z\xEF\xBF\xBD");
}

TEST(TailBuffer, ReplacesAFullBufferOfInvalidBytes) {
  TailBuffer tail(100);
  tail.append(std::string(1000, '\xFF'));
  EXPECT_EQ(tail.text().size(), 300U);
}

}  // namespace
}  // namespace taskpipe::worker
