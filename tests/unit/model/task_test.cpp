#include "common/model/task.hpp"

#include <cstddef>
#include <functional>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/model/limits.hpp"

namespace taskpipe {
namespace {

std::vector<TaskState> every_state() {
  std::vector<TaskState> states;
  for (unsigned n = 0; n <= static_cast<unsigned>(kLastTaskState); ++n) {
    states.push_back(static_cast<TaskState>(n));
  }
  return states;
}

TEST(TaskState, ExactlyTheseTransitionsAreLegal) {
  using S = TaskState;
  const std::set<std::pair<S, S>> legal = {
      {S::pending, S::running}, {S::pending, S::success}, {S::pending, S::failure},
      {S::pending, S::timeout}, {S::pending, S::error},   {S::pending, S::cancelled},
      {S::running, S::pending}, {S::running, S::success}, {S::running, S::failure},
      {S::running, S::timeout}, {S::running, S::error},   {S::running, S::cancelled},
  };
  for (const S from : every_state()) {
    for (const S to : every_state()) {
      EXPECT_EQ(can_transition(from, to), legal.contains({from, to}))
          << name_of(from) << " to " << name_of(to);
    }
  }
}

TEST(TaskState, TerminalMeansNoWayOut) {
  for (const TaskState from : every_state()) {
    bool way_out = false;
    for (const TaskState to : every_state()) way_out = way_out || can_transition(from, to);
    EXPECT_EQ(is_terminal(from), !way_out) << name_of(from);
  }
}

TEST(TaskState, NamesAreWhatCallersSee) {
  EXPECT_EQ(name_of(TaskState::pending), "PENDING");
  EXPECT_EQ(name_of(TaskState::running), "RUNNING");
  EXPECT_EQ(name_of(TaskState::success), "SUCCESS");
  EXPECT_EQ(name_of(TaskState::failure), "FAILURE");
  EXPECT_EQ(name_of(TaskState::timeout), "timeout");
  EXPECT_EQ(name_of(TaskState::error), "error");
  EXPECT_EQ(name_of(TaskState::cancelled), "REVOKED");
  EXPECT_EQ(name_of(static_cast<TaskState>(7)), "?");
}

TEST(TaskState, NamesAreReadInAnyCase) {
  for (const TaskState state : every_state()) {
    EXPECT_EQ(parse_task_state(name_of(state)), state);
  }
  EXPECT_EQ(parse_task_state("success"), TaskState::success);
  EXPECT_EQ(parse_task_state("TimeOut"), TaskState::timeout);
  EXPECT_EQ(parse_task_state("revoked"), TaskState::cancelled);
  EXPECT_EQ(parse_task_state("cancelled"), TaskState::cancelled);
  EXPECT_EQ(parse_task_state("CANCELED"), TaskState::cancelled);
  for (const char* name : {"", "?", "SUCCESS ", "succes", "2"}) {
    EXPECT_EQ(parse_task_state(name), std::nullopt) << name;
  }
}

TEST(FailureClass, EveryOneHasAName) {
  const std::string_view names[] = {"none",        "exit",  "signal",    "oom",     "timeout",
                                    "worker_lost", "spawn", "cancelled", "rejected"};
  ASSERT_EQ(std::size(names), static_cast<std::size_t>(kLastFailureClass) + 1);
  for (std::size_t n = 0; n < std::size(names); ++n) {
    EXPECT_EQ(name_of(static_cast<FailureClass>(n)), names[n]);
  }
  EXPECT_EQ(name_of(static_cast<FailureClass>(99)), "?");
}

TaskSpec good_spec() {
  TaskSpec spec;
  spec.tool = "lammps";
  spec.script = "melt/in.lj";
  spec.resources = {1, 0, 0, {{"license", 1}}};
  spec.labels = {{"project", "melt"}, {"team", "physics"}};
  return spec;
}

TEST(CheckSpec, AcceptsWhatIsReasonable) {
  EXPECT_EQ(check_spec(good_spec()), std::nullopt);
  TaskSpec spec;
  spec.tool = "x";
  EXPECT_EQ(check_spec(spec), std::nullopt);
}

TEST(CheckSpec, AcceptsEveryBoundExactly) {
  TaskSpec spec;
  spec.tool = std::string(limits::kMaxNameBytes, 't');
  spec.script = std::string(limits::kMaxScriptNameBytes, 's');
  spec.inline_script = Payload(std::string(limits::kMaxPayloadBytes, 'x'));
  spec.limits.grace_ms = limits::kMaxGraceMs;
  for (std::size_t n = 0; n < limits::kMaxLabels; ++n) {
    spec.labels.push_back({"key" + std::to_string(n), std::string(limits::kMaxTextBytes, 'v')});
  }
  for (std::size_t n = 0; n < limits::kMaxNamedResources; ++n) {
    spec.resources.named.push_back({"resource" + std::to_string(n), 1});
  }
  EXPECT_EQ(check_spec(spec), std::nullopt);
}

struct BadSpec {
  std::function<void(TaskSpec&)> change;
  ErrorCode code;
  std::string field;
};

TEST(CheckSpec, NamesTheFieldThatIsWrong) {
  const ErrorCode invalid = ErrorCode::invalid;
  const std::vector<BadSpec> table = {
      {[](auto& s) { s.tool = ""; }, invalid, "tool"},
      {[](auto& s) { s.tool = std::string(129, 't'); }, invalid, "tool"},
      {[](auto& s) { s.tool = "a\nb"; }, invalid, "tool"},
      {[](auto& s) { s.tool = std::string("a\0b", 3); }, invalid, "tool"},
      {[](auto& s) { s.tool = "a\x7F"; }, invalid, "tool"},
      {[](auto& s) { s.script = std::string(513, 's'); }, invalid, "script"},
      {[](auto& s) { s.script = "a\tb"; }, invalid, "script"},
      {[](auto& s) { s.script = "/etc/passwd"; }, invalid, "script"},
      {[](auto& s) { s.script = ".."; }, invalid, "script"},
      {[](auto& s) { s.script = "../x"; }, invalid, "script"},
      {[](auto& s) { s.script = "a/../../x"; }, invalid, "script"},
      {[](auto& s) { s.script = "a/.."; }, invalid, "script"},
      {[](auto& s) { s.inline_script = Payload(std::string(limits::kMaxPayloadBytes + 1, 'x')); },
       ErrorCode::too_big, "inline_script"},
      {[](auto& s) {
         s.script = "";
         s.inline_script = Payload("x");
       },
       invalid, "script"},
      {[](auto& s) { s.limits.grace_ms = limits::kMaxGraceMs + 1; }, invalid, "grace_ms"},
      {[](auto& s) {
         s.resources.named.assign(33, {"x", 1});
       },
       invalid, "resources.named"},
      {[](auto& s) {
         s.resources.named = {{"", 1}};
       },
       invalid, "resources.named"},
      {[](auto& s) {
         s.resources.named = {{"a\n", 1}};
       },
       invalid, "resources.named"},
      {[](auto& s) {
         s.resources.named = {{"b", 1}, {"a", 1}, {"b", 1}};
       },
       invalid, "resources.named.b"},
      {[](auto& s) {
         s.labels.assign(65, {"x", ""});
       },
       invalid, "labels"},
      {[](auto& s) {
         s.labels = {{"", "v"}};
       },
       invalid, "labels.key"},
      {[](auto& s) {
         s.labels = {{std::string(129, 'k'), "v"}};
       },
       invalid, "labels.key"},
      {[](auto& s) {
         s.labels = {{"k", std::string(1025, 'v')}};
       },
       invalid, "labels.k"},
      {[](auto& s) {
         s.labels = {{"k", "1"}, {"j", "2"}, {"k", "3"}};
       },
       invalid, "labels.k"},
  };
  for (std::size_t n = 0; n < table.size(); ++n) {
    TaskSpec spec = good_spec();
    table[n].change(spec);
    const auto error = check_spec(spec);
    ASSERT_TRUE(error.has_value()) << "row " << n;
    EXPECT_EQ(error->code, table[n].code) << "row " << n;
    EXPECT_EQ(error->field, table[n].field) << "row " << n;
    EXPECT_TRUE(error->text.starts_with(error->field)) << error->text;
  }
}

TEST(CheckSpec, DotsWithinNamesAreFine) {
  for (const char* name : {"..a", "a..", "...", "a..b/c", ".hidden", "./x"}) {
    TaskSpec spec = good_spec();
    spec.script = name;
    EXPECT_EQ(check_spec(spec), std::nullopt) << name;
  }
}

TEST(CheckSpec, InputsStayInTheDirectoryAndHaveAHash) {
  const std::string hash(64, 'a');
  for (const char* name : {"", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a/.", "a\nb"}) {
    TaskSpec spec = good_spec();
    spec.inputs = {{name, hash, 1, false}};
    EXPECT_TRUE(check_spec(spec)) << name;
  }
  for (const std::string& wrong :
       {std::string(), std::string(63, 'a'), std::string(64, 'A'), std::string(64, 'g')}) {
    TaskSpec spec = good_spec();
    spec.inputs = {{"a", wrong, 1, false}};
    EXPECT_TRUE(check_spec(spec)) << wrong;
  }
  TaskSpec spec = good_spec();
  spec.inputs = {{"a/b.txt", hash, 1, false}, {".hidden", hash, 0, true}};
  EXPECT_EQ(check_spec(spec), std::nullopt);
  spec.inputs.push_back(spec.inputs.front());
  EXPECT_TRUE(check_spec(spec)) << "a name twice";
  spec.inputs.assign(limits::kMaxInputs + 1, {"a", hash, 1, false});
  EXPECT_TRUE(check_spec(spec));
}

TEST(BringsScript, InlineOrAsAnInputOfItsName) {
  TaskSpec spec;
  EXPECT_FALSE(brings_script(spec));
  spec.inputs = {{"x.sh", std::string(64, 'a'), 1, true}};
  EXPECT_FALSE(brings_script(spec));
  spec.script = "x.sh";
  EXPECT_TRUE(brings_script(spec));
  spec.inputs.clear();
  EXPECT_FALSE(brings_script(spec));
  spec.inline_script = Payload(std::string_view("echo"));
  EXPECT_TRUE(brings_script(spec));
}

}  // namespace
}  // namespace taskpipe
