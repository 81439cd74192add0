#include "client/cli/log_text.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskpipe::cli {

bool operator==(const LogText& a, const LogText& b) {
  return a.offset == b.offset && a.data == b.data;
}

namespace {

TEST(LogTextAssembler, KeepsACutCharacterForTheNextPiece) {
  LogTextAssembler assembler;
  EXPECT_EQ(assembler.take(10, "a\xf0\x9f"), (LogText{10, "a"}));
  EXPECT_EQ(assembler.take(13, "\x98"), std::nullopt);
  EXPECT_EQ(assembler.take(14, "\x80z"), (LogText{11, "\xf0\x9f\x98\x80z"}));
  EXPECT_EQ(assembler.rest(), std::nullopt);
}

TEST(LogTextAssembler, TheRestIsWhatWasWrittenAndNoMore) {
  LogTextAssembler assembler;
  EXPECT_EQ(assembler.take(0, "a\xc3"), (LogText{0, "a"}));
  EXPECT_EQ(assembler.rest(), (LogText{1, "\xc3"}));
  EXPECT_EQ(assembler.rest(), std::nullopt);
  EXPECT_EQ(assembler.take(100, "b"), (LogText{100, "b"}));  // after a gap
}

TEST(LogTextAssembler, WhatIsNoUtf8DoesNotWait) {
  LogTextAssembler assembler;
  for (const std::string bytes : {"\x80\x80\x80\x80", "\xc3x", "\xffx", "plain"}) {
    EXPECT_EQ(assembler.take(5, bytes), (LogText{5, bytes}));
  }
  EXPECT_EQ(assembler.take(0, ""), std::nullopt);
}

}  // namespace
}  // namespace taskpipe::cli
