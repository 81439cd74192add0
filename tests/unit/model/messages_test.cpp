#include "common/model/messages.hpp"

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace taskpipe {
namespace {

TaskSpecPtr spec_of(const std::string& tool) {
  TaskSpec spec;
  spec.tool = tool;
  return std::make_shared<const TaskSpec>(spec);
}

TEST(Messages, CompareSpecificationsByValue) {
  Submit a;
  a.specs = {spec_of("lammps")};
  a.items = {{TaskId(1, 1), 0, Payload("p"), {1, 2}}};
  Submit b = a;
  b.specs = {spec_of("lammps")};
  EXPECT_EQ(a, b);
  b.specs = {spec_of("openfoam")};
  EXPECT_FALSE(a == b);
  b.specs = {};
  EXPECT_FALSE(a == b);
  b = a;
  b.items[0].params = Payload("q");
  EXPECT_FALSE(a == b);

  Tasks c;
  c.specs = {spec_of("x")};
  Tasks d;
  d.specs = {spec_of("x")};
  EXPECT_EQ(c, d);
  d.specs.push_back(spec_of("y"));
  EXPECT_FALSE(c == d);
}

TEST(Messages, WorkflowsCompareEveryField) {
  SubmitWorkflow base;
  base.id = WorkflowId(1, 1);
  base.name = "n";
  base.total = 1;
  base.specs = {spec_of("x")};
  base.items = {{TaskId(1, 1), 0, Payload(), {}}};
  base.dependencies = {{}};
  EXPECT_EQ(base, SubmitWorkflow(base));
  const auto differs = [&](auto change) {
    SubmitWorkflow other = base;
    change(other);
    return !(other == base);
  };
  EXPECT_TRUE(differs([](auto& w) { w.id = WorkflowId(1, 2); }));
  EXPECT_TRUE(differs([](auto& w) { w.name = "m"; }));
  EXPECT_TRUE(differs([](auto& w) { w.on_failure = OnFailure::cancel_dependents; }));
  EXPECT_TRUE(differs([](auto& w) { w.first_index = 1; }));
  EXPECT_TRUE(differs([](auto& w) { w.total = 2; }));
  EXPECT_TRUE(differs([](auto& w) { w.specs = {spec_of("y")}; }));
  EXPECT_TRUE(differs([](auto& w) { w.items[0].id = TaskId(1, 2); }));
  EXPECT_TRUE(differs([](auto& w) { w.dependencies[0].after = {0}; }));
}

TEST(Messages, WorkerStatesHaveNames) {
  EXPECT_EQ(name_of(WorkerState::ready), "ready");
  EXPECT_EQ(name_of(WorkerState::suspect), "suspect");
  EXPECT_EQ(name_of(WorkerState::draining), "draining");
  EXPECT_EQ(name_of(WorkerState::lost), "lost");
  EXPECT_EQ(name_of(static_cast<WorkerState>(9)), "?");
}

}  // namespace
}  // namespace taskpipe
