#include "client/cli/live_board.hpp"

#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskpipe::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr TerminalSize kSize{40, 10};

TEST(Redraw, TheFirstFrameMovesNowhere) {
  Redraw redraw;
  EXPECT_EQ(redraw.frame({"one", "two"}, kSize), "one\x1b[K\ntwo\x1b[K\n\x1b[J");
}

TEST(Redraw, LaterFramesBeginWhereTheFirstDid) {
  Redraw redraw;
  static_cast<void>(redraw.frame({"one", "two"}, kSize));
  EXPECT_THAT(redraw.frame({"one", "two", "three"}, kSize), StartsWith("\r\x1b[2A"));
  EXPECT_THAT(redraw.frame({"one"}, kSize), StartsWith("\r\x1b[3A"));
}

TEST(Redraw, ANarrowerTerminalHasWrappedTheLines) {
  Redraw redraw;
  static_cast<void>(redraw.frame({std::string(39, 'x'), "short"}, {40, 10}));
  EXPECT_THAT(redraw.frame({"x"}, {20, 10}), StartsWith("\r\x1b[3A"));
}

TEST(Redraw, ColoursTakeNoColumns) {
  Redraw redraw;
  static_cast<void>(redraw.frame({"\x1b[32m" + std::string(20, 'x') + "\x1b[0m"}, kSize));
  EXPECT_THAT(redraw.frame({"x"}, {20, 10}), StartsWith("\r\x1b[1A"));
}

TEST(Redraw, NeverMovesAboveTheScreen) {
  Redraw redraw;
  static_cast<void>(redraw.frame(std::vector<std::string>(8, std::string(39, 'x')), {40, 10}));
  EXPECT_THAT(redraw.frame({"x"}, {20, 10}), StartsWith("\r\x1b[9A"));
}

TEST(LiveBoard, TheLastFrameShowsTheLastState) {
  std::ostringstream out;
  std::ostringstream err;
  Console console{out, err};
  Progress progress(std::vector{TaskId(1, 1)}, {"lammps in.melt"});
  {
    LiveBoard board(console, progress);
    TaskEvent event;
    event.id = TaskId(1, 1);
    event.state = TaskState::success;
    event.attempt = Attempt(1);
    board.update([&](Progress& changing) { changing.apply(event, Millis(0)); });
    board.finish();
    board.finish();  // harmless
  }
  const std::string text = out.str();
  const auto last_frame = text.substr(text.rfind("lammps in.melt"));
  EXPECT_THAT(last_frame, HasSubstr("SUCCESS"));
  EXPECT_THAT(last_frame, Not(HasSubstr("pending")));
  EXPECT_EQ(err.str(), "");
}

}  // namespace
}  // namespace taskpipe::cli
