#include "broker/history/schema.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/history/sqlite_history.hpp"
#include "tests/support/temporary_folder.hpp"

namespace taskpipe::broker {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class SchemaTest : public ::testing::Test {
 protected:
  void open() { SqliteHistory history(path); }
  auto refuses(const std::string& why) {
    return ThrowsMessage<std::runtime_error>(AllOf(HasSubstr(path.string()), HasSubstr(why)));
  }

  taskpipe::testing::TemporaryFolder folder;
  std::filesystem::path path = folder / "history.db";
};

TEST_F(SchemaTest, SaysWhatItIsAndIsDurable) {
  SqliteHistory history(path);
  SqliteDatabase reader(path, 0);
  EXPECT_EQ(reader.integer("PRAGMA application_id"), kHistoryApplicationId);
  EXPECT_EQ(reader.integer("PRAGMA user_version"), kHistorySchemaVersion);
  EXPECT_EQ(reader.text("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(reader.text("PRAGMA integrity_check"), "ok");
}

TEST_F(SchemaTest, SyncsEveryCommit) {
  SqliteDatabase database(path, 0);
  prepare_history(database, path.string());
  EXPECT_EQ(database.integer("PRAGMA synchronous"), 2) << "2 is FULL";
}

TEST_F(SchemaTest, ANewerVersionIsRefusedAndLeftAlone) {
  open();
  SqliteDatabase(path, 0).execute("PRAGMA user_version = 4");
  EXPECT_THAT([&] { open(); }, refuses("newer taskpipe (schema 4, this one reads up to 3)"));
  EXPECT_EQ(SqliteDatabase(path, 0).integer("PRAGMA user_version"), 4);
}

TEST_F(SchemaTest, SomebodyElsesFileIsRefusedAndLeftAlone) {
  SqliteDatabase(path, 0).execute("CREATE TABLE bookmarks(url)");
  EXPECT_THAT([&] { open(); }, refuses("no history of taskpipe"));
  EXPECT_EQ(SqliteDatabase(path, 0).integer("SELECT count(*) FROM sqlite_schema"), 1);
}

TEST_F(SchemaTest, WhatIsNoDatabaseIsRefusedAndLeftAlone) {
  const std::string text(10'000, 'x');
  std::ofstream(path) << text;
  EXPECT_THAT([&] { open(); }, refuses("file is not a database"));
  EXPECT_EQ(std::filesystem::file_size(path), text.size());
}

TEST_F(SchemaTest, ADamagedFileIsNamed) {
  {
    SqliteHistory history(path);
    std::vector<FinishedTask> tasks(1000);
    for (std::uint32_t n = 0; n < tasks.size(); ++n) {
      tasks[n].id = TaskId(1, n);
      tasks[n].spec = std::make_shared<const TaskSpec>();
      tasks[n].params = Payload(std::string(500, 'p'));
    }
    history.store(tasks, {}, Lsn(1));
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  for (int page = 1; page < 100; ++page) {
    file.seekp(page * 4096L);
    file << std::string(4096, '\xAA');
  }
  file.close();
  EXPECT_THAT([&] { open(); }, refuses("restore it from a backup"));
}

TEST_F(SchemaTest, ATruncatedFileIsNamed) {
  open();
  std::filesystem::resize_file(path, 4096);
  EXPECT_THAT([&] { open(); }, refuses("restore it from a backup"));
}

TEST_F(SchemaTest, AFolderIsNoHistory) {
  std::filesystem::create_directory(path);
  EXPECT_THAT([&] { open(); }, refuses("must exist and be writable"));
}

// What the first version wrote, made by taking away what the second added.
TEST_F(SchemaTest, AHistoryOfTheFirstVersionIsBroughtForward) {
  TaskSpec spec;
  spec.tool = "lammps";
  FinishedTask task;
  task.id = TaskId(1, 2);
  task.owner = "ada";
  task.spec = std::make_shared<const TaskSpec>(spec);
  task.outcome.state = TaskState::failure;
  SqliteHistory(path).store(std::vector{task}, {}, Lsn(1));
  {
    SqliteDatabase database(path, 0);
    for (const char* column :
         {"queue_time_ms", "no_progress_ms", "max_attempts", "retried_failures", "backoff_ms",
          "max_backoff_ms", "max_worker_losses"}) {
      database.execute((std::string("ALTER TABLE specs DROP COLUMN ") + column).c_str());
    }
    database.execute("DROP TABLE attempts");
    database.execute("DROP TABLE spec_inputs");
    database.execute("DROP INDEX tasks_by_original");
    database.execute("ALTER TABLE tasks DROP COLUMN original");
    database.execute("PRAGMA user_version = 1");
  }
  EXPECT_THAT([&] { SqliteHistory(path, {.access = SqliteAccess::read_alone}); },
              refuses("earlier taskpipe"));
  SqliteHistory history(path);
  const auto found = history.find_tasks(std::vector{task.id});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(*found[0].spec, spec);
  // An equal specification is the same one as before.
  task.id = TaskId(1, 3);
  history.store(std::vector{task}, {}, Lsn(2));
  EXPECT_EQ(SqliteDatabase(path, 0).integer("SELECT count(*) FROM specs"), 1);
}

// And what the second version wrote.
TEST_F(SchemaTest, AHistoryOfTheSecondVersionIsBroughtForward) {
  TaskSpec spec;
  spec.tool = "lammps";
  FinishedTask task;
  task.id = TaskId(1, 2);
  task.owner = "ada";
  task.spec = std::make_shared<const TaskSpec>(spec);
  task.outcome.state = TaskState::failure;
  SqliteHistory(path).store(std::vector{task}, {}, Lsn(1));
  {
    SqliteDatabase database(path, 0);
    database.execute("DROP TABLE spec_inputs");
    database.execute("PRAGMA user_version = 2");
  }
  SqliteHistory history(path);
  EXPECT_EQ(*history.find_tasks(std::vector{task.id}).at(0).spec, spec);
  spec.inputs = {{"mesh.msh", std::string(64, 'a'), 5, true}};
  task.id = TaskId(1, 3);
  task.spec = std::make_shared<const TaskSpec>(spec);
  history.store(std::vector{task}, {}, Lsn(2));
  EXPECT_EQ(*history.find_tasks(std::vector{task.id}).at(0).spec, spec);
}

// The views are text; the names they show must be those of name_of.
TEST_F(SchemaTest, ViewsShowIdsNamesAndTimes) {
  SqliteHistory history(path);
  TaskSpec spec;
  spec.tool = "lammps";
  spec.labels = {{"project", "melt"}, {"team", "physics"}};
  FinishedTask task;
  task.id = TaskId(0xabcdULL, 0x12ULL);
  task.owner = "ada";
  task.worker = "node1";
  task.spec = std::make_shared<const TaskSpec>(spec);
  task.outcome.state = TaskState::success;
  task.submitted = WallTime{1'769'860'800'123};
  task.outcome.usage.wall_us = 1'500'000;
  history.store(std::vector{task}, {}, Lsn(1));
  SqliteDatabase reader(path, 0);
  const auto shown = [&](const std::string& column) {
    return reader.text(("SELECT " + column + " FROM tasks_readable").c_str());
  };
  EXPECT_EQ(shown("id"), task.id.to_string());
  EXPECT_EQ(shown("owner"), "ada");
  EXPECT_EQ(shown("worker"), "node1");
  EXPECT_EQ(shown("tool"), "lammps");
  EXPECT_EQ(shown("labels"), "project=melt,team=physics");
  EXPECT_EQ(shown("submitted"), "2026-01-31T12:00:00.123Z");
  EXPECT_EQ(shown("started IS NULL"), "1");
  EXPECT_EQ(shown("wall_s"), "1.5");
}

TEST_F(SchemaTest, ViewsKnowEveryStateAndFailureClass) {
  SqliteHistory history(path);
  std::vector<FinishedTask> tasks;
  for (unsigned state = 2; state <= static_cast<unsigned>(kLastTaskState); ++state) {
    for (unsigned failure = 0; failure <= static_cast<unsigned>(kLastFailureClass); ++failure) {
      FinishedTask task;
      task.id = TaskId(state, failure);
      task.spec = std::make_shared<const TaskSpec>();
      task.outcome.state = static_cast<TaskState>(state);
      task.outcome.failure = static_cast<FailureClass>(failure);
      tasks.push_back(task);
    }
  }
  history.store(tasks, {}, Lsn(1));
  SqliteDatabase reader(path, 0);
  for (const FinishedTask& task : tasks) {
    const std::string row = " FROM tasks_readable WHERE id = '" + task.id.to_string() + "'";
    EXPECT_EQ(reader.text(("SELECT state" + row).c_str()), name_of(task.outcome.state));
    EXPECT_EQ(reader.text(("SELECT failure" + row).c_str()), name_of(task.outcome.failure));
  }
}

TEST_F(SchemaTest, WorkflowsAreReadableToo) {
  SqliteHistory history(path);
  FinishedWorkflow workflow;
  workflow.id = WorkflowId(1, 2);
  workflow.owner = "ada";
  workflow.name = "sweep";
  workflow.tasks = {TaskId(1, 1), TaskId(1, 2)};
  history.store({}, std::vector{workflow}, Lsn(1));
  SqliteDatabase reader(path, 0);
  EXPECT_EQ(reader.text("SELECT id || name || owner || tasks FROM workflows_readable"),
            workflow.id.to_string() + "sweepada2");
}

}  // namespace
}  // namespace taskpipe::broker
