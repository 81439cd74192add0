#include "worker/exec/line_splitter.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace taskpipe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LineSplitterTest : public ::testing::Test {
 protected:
  void feed(std::string_view bytes) {
    splitter_.feed(bytes, [this](std::string_view line) { lines_.emplace_back(line); });
  }
  void finish() {
    splitter_.finish([this](std::string_view line) { lines_.emplace_back(line); });
  }
  LineSplitter splitter_;
  std::vector<std::string> lines_;
};

TEST_F(LineSplitterTest, JoinsPiecesOfOneLine) {
  feed("ab");
  feed("c\nd");
  EXPECT_THAT(lines_, ElementsAre("abc"));
  finish();
  EXPECT_THAT(lines_, ElementsAre("abc", "d"));
  finish();
  EXPECT_EQ(lines_.size(), 2U);
}

TEST_F(LineSplitterTest, TakesEveryLineEndForOne) {
  feed("unix\nmac\rdos\r\nlast\n");
  EXPECT_THAT(lines_, ElementsAre("unix", "mac", "dos", "last"));
}

TEST_F(LineSplitterTest, KeepsEmptyLinesAndNulBytes) {
  using namespace std::string_literals;
  feed("a\0b\n\nc\n"s);
  EXPECT_THAT(lines_, ElementsAre("a\0b"s, "", "c"));
}

TEST_F(LineSplitterTest, CutsALongLineOnceAndDropsTheRest) {
  const std::string piece(1000, 'x');
  for (int i = 0; i < 1000; ++i) feed(piece);
  EXPECT_THAT(lines_, IsEmpty());
  feed("tail\nshort\n");
  ASSERT_EQ(lines_.size(), 2U);
  EXPECT_EQ(lines_[0], std::string(limits::kMaxLineBytes, 'x'));
  EXPECT_EQ(lines_[1], "short");
}

TEST_F(LineSplitterTest, CutsALongLineThatArrivesWhole) {
  feed(std::string(limits::kMaxLineBytes + 1, 'y') + "\nz\n");
  ASSERT_EQ(lines_.size(), 2U);
  EXPECT_EQ(lines_[0].size(), limits::kMaxLineBytes);
  EXPECT_EQ(lines_[1], "z");
}

TEST_F(LineSplitterTest, GivesTheSameLinesHoweverTheInputIsCut) {
  const std::string text = "one\r\ntwo\rthree\n\nfour\r\r\nfive";
  feed(text);
  finish();
  const auto whole = lines_;
  ASSERT_THAT(whole, ElementsAre("one", "two", "three", "", "four", "", "five"));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    lines_.clear();
    feed(std::string_view(text).substr(0, cut));
    feed(std::string_view(text).substr(cut));
    finish();
    EXPECT_EQ(lines_, whole) << "cut at " << cut;
  }
}

}  // namespace
}  // namespace taskpipe::worker
