#include "client/cli/top/top_state.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskpipe::cli::top {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr TerminalSize kSize{120, 12};

class Top : public ::testing::Test {
 protected:
  void hear(std::uint32_t task, TaskState state, double percent = -1.0, std::string message = "") {
    TaskEvent event;
    event.id = TaskId(1, task);
    event.state = state;
    event.attempt = Attempt(state == TaskState::pending ? 0 : 1);
    event.tool = "lammps";
    event.script = "in" + std::to_string(task);
    event.worker = state == TaskState::pending ? "" : "node-a";
    event.percent = percent;
    event.message = std::move(message);
    top.apply(event, Millis(1000));
  }
  std::vector<std::string> screen(TerminalSize size = kSize) {
    std::vector<std::string> texts;
    for (const Line& line : top.lines(size, true, Millis(11'000))) texts.push_back(line.text());
    return texts;
  }
  std::string all(TerminalSize size = kSize) {
    std::string text;
    for (const auto& line : screen(size)) text += line + "\n";
    return text;
  }
  // Scripts of the tasks, from the top.
  std::vector<std::string> rows() {
    std::vector<std::string> found;
    for (const auto& line : screen()) {
      const auto at = line.find("lammps in");
      if (at != std::string::npos) found.push_back(line.substr(at + 7, 3));
    }
    return found;
  }
  void type(std::string_view keys) {
    for (const char key : keys) static_cast<void>(top.press(key));
  }

  TopState top{"tcp://host:7610"};
};

TEST_F(Top, EventsMakeRows) {
  hear(1, TaskState::pending);
  hear(2, TaskState::running, 25.0, "step 25");
  const std::string text = all();
  EXPECT_THAT(text, HasSubstr("lammps in2                RUNNING   ━━━┄┄┄┄┄┄┄┄┄   25%"));
  EXPECT_THAT(text, AllOf(HasSubstr("0:10     0:30  node-a      step 25"), HasSubstr("PENDING")));
  EXPECT_THAT(rows(), ElementsAre("in2", "in1"));  // running ones first
}

TEST_F(Top, WhatFollowsAnEndIsIgnored) {
  hear(1, TaskState::running, 50.0, "step 50");
  hear(1, TaskState::success);
  hear(1, TaskState::running, 60.0);
  EXPECT_THAT(all(), AllOf(HasSubstr("SUCCESS"), Not(HasSubstr("RUNNING")), Not(HasSubstr("50"))));
}

TEST_F(Top, AListingTakesAwayWhatIsGone) {
  hear(1, TaskState::running);
  hear(2, TaskState::success);
  TaskRow row;
  row.id = TaskId(1, 2);
  row.tool = "lammps";
  row.script = "in2";
  row.state = TaskState::running;  // older than the event
  top.begin_listing();
  top.list(row, WallTime{1}, Millis(0));
  top.end_listing();
  EXPECT_THAT(rows(), ElementsAre("in2"));
  EXPECT_THAT(all(), HasSubstr("SUCCESS"));
}

TEST_F(Top, KeysChooseSortAndReverse) {
  for (std::uint32_t i = 1; i <= 3; ++i) hear(i, TaskState::running, 10.0 * i);
  static_cast<void>(screen());
  EXPECT_EQ(top.chosen(), TaskId(1, 3));
  static_cast<void>(top.press(Key::down));
  EXPECT_EQ(top.chosen(), TaskId(1, 2));
  type("G");
  EXPECT_EQ(top.chosen(), TaskId(1, 1));
  type("s");
  EXPECT_THAT(rows(), ElementsAre("in1", "in2", "in3"));
  EXPECT_THAT(all(), HasSubstr("sorted by tool"));
  type("r");
  EXPECT_THAT(rows(), ElementsAre("in3", "in2", "in1"));
  EXPECT_EQ(top.chosen(), TaskId(1, 1));  // the task, not the place
}

TEST_F(Top, AFilterShowsWhatContainsIt) {
  for (std::uint32_t i = 1; i <= 3; ++i) hear(i, TaskState::running);
  type("/IN2");
  EXPECT_THAT(rows(), ElementsAre("in2"));
  EXPECT_EQ(top.mode(), Mode::typing_filter);
  static_cast<void>(top.press(Key::enter));
  EXPECT_THAT(all(), HasSubstr("/ filter: IN2"));
  static_cast<void>(top.press(Key::escape));
  EXPECT_EQ(rows().size(), 3U);
}

TEST_F(Top, CancellingIsConfirmed) {
  hear(1, TaskState::running);
  static_cast<void>(screen());
  EXPECT_EQ(top.press('c').kind, Wish::Kind::nothing);
  EXPECT_THAT(all(), HasSubstr("cancel " + TaskId(1, 1).to_string() + "? y = yes"));
  EXPECT_EQ(top.press('n').kind, Wish::Kind::nothing);
  EXPECT_EQ(top.mode(), Mode::table);
  static_cast<void>(top.press('c'));
  const Wish wish = top.press('y');
  EXPECT_EQ(wish.kind, Wish::Kind::cancel);
  EXPECT_EQ(wish.task, TaskId(1, 1));
  hear(1, TaskState::cancelled);
  static_cast<void>(top.press('c'));
  EXPECT_EQ(top.mode(), Mode::table);
  EXPECT_THAT(all(), HasSubstr("it has ended"));
}

TEST_F(Top, TheQuestionIsAboutTheTaskThatWasChosen) {
  hear(1, TaskState::running);
  static_cast<void>(screen());
  static_cast<void>(top.press('c'));
  hear(2, TaskState::running);  // takes the first row
  EXPECT_THAT(all(), HasSubstr("cancel " + TaskId(1, 1).to_string()));
  EXPECT_EQ(top.press('y').task, TaskId(1, 1));
}

TEST_F(Top, WithoutAChoiceTheFirstRowIsChosen) {
  hear(1, TaskState::success);
  static_cast<void>(screen());
  EXPECT_EQ(top.chosen(), TaskId(1, 1));
  hear(2, TaskState::running);
  static_cast<void>(screen());
  EXPECT_EQ(top.chosen(), TaskId(1, 2));
}

TEST_F(Top, ALogIsFollowedAndScrolled) {
  hear(1, TaskState::running);
  static_cast<void>(screen());
  EXPECT_EQ(top.press(Key::enter).kind, Wish::Kind::open_log);
  for (int i = 1; i <= 40; ++i) top.add_log("line " + std::to_string(i) + "\n");
  top.add_log("half");
  top.add_log(" a line");
  EXPECT_THAT(all(),
              AllOf(HasSubstr("half a line"), HasSubstr("line 40"), Not(HasSubstr("line 9"))));
  static_cast<void>(top.press(Key::home));
  EXPECT_THAT(all(), AllOf(HasSubstr("line 1\n"), Not(HasSubstr("line 40"))));
  EXPECT_EQ(top.press('q').kind, Wish::Kind::close_log);
  EXPECT_EQ(top.press('q').kind, Wish::Kind::quit);
}

TEST_F(Top, TheChosenRowStaysOnTheScreen) {
  for (std::uint32_t i = 1; i <= 100; ++i) hear(i, TaskState::running);
  for (int i = 0; i < 150; ++i) {
    static_cast<void>(top.press(i < 99 ? Key::down : Key::up));
    std::size_t marked = 0;
    for (const Line& line : top.lines(kSize, true, Millis(0))) marked += line.marked ? 1 : 0;
    EXPECT_EQ(marked, 1U);
  }
}

TEST_F(Top, FillsEverySizeExactly) {
  HealthReply health;
  health.warnings = {"no keys: insecure bind"};
  top.set_health(health);
  top.set_workers(std::vector<WorkerRow>(12));
  for (std::uint32_t i = 1; i <= 30; ++i) hear(i, TaskState::running, 10.0, "中文 message");
  for (const std::string_view mode : {"", "?", "xl"}) {
    type(mode);
    for (std::size_t columns = 1; columns < 160; columns += 7) {
      for (std::size_t rows = 1; rows < 30; ++rows) {
        const auto lines = screen({columns, rows});
        EXPECT_EQ(lines.size(), rows);
        for (const auto& line : lines) EXPECT_LE(display_width(line), columns);
      }
    }
  }
}

TEST_F(Top, ForgetsTheOldestThatHaveEnded) {
  hear(1, TaskState::running);
  for (std::uint32_t i = 2; i <= 3 * kMostEndedTasks; ++i) hear(i, TaskState::success);
  std::size_t rows_shown = 0;
  for (const auto& line : screen({120, 5000})) {
    rows_shown += line.find("lammps in") == std::string::npos ? 0 : 1;
  }
  EXPECT_LE(rows_shown, kMostEndedTasks + 1);
  EXPECT_THAT(all(), HasSubstr("RUNNING"));
}

TEST_F(Top, NothingFromATaskReachesTheTerminalRaw) {
  hear(1, TaskState::running, 1.0, "\x1b[31mred\x07");
  EXPECT_THAT(all(), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace taskpipe::cli::top
