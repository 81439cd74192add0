#include "broker/history/interned.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "broker/history/schema.hpp"
#include "tests/support/temporary_folder.hpp"

namespace taskpipe::broker {
namespace {

class InternedTest : public ::testing::Test {
 protected:
  InternedTest() { prepare_history(database, "x.db"); }
  taskpipe::testing::TemporaryFolder folder;
  SqliteDatabase database{folder / "x.db", 0};
};

TaskSpec spec_of(const std::string& tool) {
  TaskSpec spec;
  spec.tool = tool;
  return spec;
}

TEST_F(InternedTest, ANameIsStoredOnce) {
  InternedNames names(database);
  const auto row = names.row_of("ada");
  EXPECT_EQ(names.row_of("ada"), row);
  EXPECT_NE(names.row_of("bob"), row);
  EXPECT_EQ(names.name_of(row), "ada");
  EXPECT_EQ(names.find("ada"), row);
  EXPECT_EQ(names.find("eve"), 0);
  InternedNames afresh(database);
  EXPECT_EQ(afresh.row_of("ada"), row);
  EXPECT_EQ(database.integer("SELECT count(*) FROM names"), 2);
}

TEST_F(InternedTest, MoreNamesThanTheCacheHolds) {
  InternedNames names(database);
  SqliteTransaction transaction(database);
  const auto first = names.row_of("n0");
  for (std::size_t n = 1; n < kMaxInternedNames + 10; ++n) {
    (void)names.row_of("n" + std::to_string(n));
  }
  EXPECT_EQ(names.row_of("n0"), first);
  transaction.commit();
}

TEST_F(InternedTest, WhatWasRolledBackIsForgotten) {
  InternedNames names(database);
  InternedSpecs specs(database);
  {
    SqliteTransaction transaction(database);
    (void)names.row_of("lost");
    (void)specs.row_of(spec_of("lost"));
  }
  names.forget();
  specs.forget();
  const auto name = names.row_of("kept");
  const auto spec = specs.row_of(spec_of("kept"));
  EXPECT_EQ(names.name_of(name), "kept");
  EXPECT_EQ(specs.spec_of(spec)->tool, "kept");
  EXPECT_EQ(names.find("lost"), 0);
}

TEST_F(InternedTest, EqualSpecificationsShareARowAndAnObject) {
  InternedSpecs specs(database);
  const auto row = specs.row_of(spec_of("lammps"));
  EXPECT_EQ(specs.row_of(spec_of("lammps")), row);
  EXPECT_NE(specs.row_of(spec_of("openfoam")), row);
  InternedSpecs afresh(database);
  EXPECT_EQ(afresh.row_of(spec_of("lammps")), row);
  EXPECT_EQ(afresh.spec_of(row), afresh.spec_of(row));
  EXPECT_EQ(database.integer("SELECT count(*) FROM specs"), 2);
}

TEST_F(InternedTest, LargeScriptsDoNotPileUpInMemory) {
  InternedSpecs specs(database);
  const std::size_t script_bytes = kMaxInternedScriptBytes / 4;
  std::vector<std::int64_t> rows;
  for (int n = 0; n < 6; ++n) {
    TaskSpec spec = spec_of("tool" + std::to_string(n));
    spec.inline_script = Payload(std::string(script_bytes, 's'));
    rows.push_back(specs.row_of(spec));
  }
  std::weak_ptr<const TaskSpec> first = specs.spec_of(rows[0]);
  EXPECT_FALSE(first.expired());
  for (const auto row : rows) (void)specs.spec_of(row);
  EXPECT_TRUE(first.expired());
}

TEST_F(InternedTest, ADanglingReferenceIsDamage) {
  InternedNames names(database);
  InternedSpecs specs(database);
  EXPECT_THROW((void)names.name_of(99), std::runtime_error);
  EXPECT_THROW((void)specs.spec_of(99), std::runtime_error);
}

}  // namespace
}  // namespace taskpipe::broker
