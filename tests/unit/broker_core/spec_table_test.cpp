// Equal specifications are held once, as long as a task uses them.
#include "broker/core/spec_table.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace taskpipe::broker {
namespace {

TaskSpecPtr spec_of(const std::string& tool) {
  auto spec = std::make_shared<TaskSpec>();
  spec->tool = tool;
  return spec;
}

TEST(SpecTable, ABatchSharesItsSpec) {
  SpecTable table;
  const TaskSpecPtr spec = spec_of("lammps");
  const HeldSpec one = table.hold(spec);
  const HeldSpec other = table.hold(spec);
  EXPECT_EQ(one.get(), spec.get());
  EXPECT_EQ(other.get(), spec.get());
  EXPECT_EQ(one.tasks(), 2U);
}

TEST(SpecTable, TheSameOfTheNextBatchIsNotKeptTwice) {
  SpecTable table;
  const HeldSpec one = table.hold(spec_of("lammps"));
  const std::weak_ptr<const TaskSpec> second = [&] {
    const TaskSpecPtr again = spec_of("lammps");
    EXPECT_EQ(table.hold(again).get(), one.get());
    return std::weak_ptr<const TaskSpec>(again);
  }();
  const HeldSpec other = table.hold(spec_of("shell"));
  EXPECT_NE(other.get(), one.get());
  EXPECT_EQ(other->tool, "shell");
  EXPECT_TRUE(second.expired());
  EXPECT_EQ(one.tasks(), 2U);
}

TEST(SpecTable, TheLastTaskTakesItsSpecWithIt) {
  SpecTable table;
  TaskSpecPtr spec = spec_of("lammps");
  const std::weak_ptr<const TaskSpec> watched = spec;
  const HeldSpec one = table.hold(spec);
  const HeldSpec other = table.hold(spec);
  const HeldSpec another = table.hold(spec_of("shell"));  // what was asked for last is remembered
  spec.reset();
  table.release(one);
  EXPECT_FALSE(watched.expired());
  table.release(other);
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(another->tool, "shell");
}

TEST(SpecTable, IsUsedAgainAfterItWasEmpty) {
  SpecTable table;
  const TaskSpecPtr spec = spec_of("lammps");
  table.release(table.hold(spec));
  const HeldSpec held = table.hold(spec);
  EXPECT_EQ(held->tool, "lammps");
  EXPECT_EQ(held.tasks(), 1U);
}

}  // namespace
}  // namespace taskpipe::broker
