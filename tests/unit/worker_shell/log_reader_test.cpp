#include "worker/shell/log_reader.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "common/model/limits.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/worker_shell/awaited.hpp"
#include "worker/exec/attempt_directory.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;

const TaskId kTask(1, 2);

class LogReaderTest : public ::testing::Test {
 protected:
  // Made by the executor's own code, so that both agree on the layout.
  void attempt(std::uint64_t epoch, std::uint32_t number, const std::string& out) {
    auto made = AttemptDirectory::create(root(), {kTask, Epoch(epoch), Attempt(number)}, {});
    ASSERT_TRUE(made);
    std::ofstream(made->file(kStdoutFile), std::ios::binary) << out;
  }
  std::string root() { return folder_.path().string(); }
  Chunk chunk(const Fetch& fetch, bool held = false) {
    const auto answer = read_log(root(), fetch, held);
    EXPECT_TRUE(std::holds_alternative<Chunk>(answer));
    return std::holds_alternative<Chunk>(answer) ? std::get<Chunk>(answer) : Chunk{};
  }
  static Fetch fetch(std::uint64_t offset, std::uint32_t length = 0) {
    return {kTask, LogStream::out, offset, length, false};
  }
  taskpipe::testing::TemporaryFolder folder_;
};

TEST_F(LogReaderTest, ReadsTheNewestAttempt) {
  attempt(9, 2, "second");
  attempt(10, 1, "third");
  attempt(9, 1, "first");
  fs::create_directories(folder_ / kTask.to_string() / "999-x");
  EXPECT_EQ(chunk(fetch(0)).data.text(), "third");
}

TEST_F(LogReaderTest, AnOffsetCountsInTheAttemptThatWasAskedFor) {
  attempt(1, 1, "of the first");
  attempt(1, 2, "second");
  Fetch asked = fetch(4);
  asked.attempt = Attempt(2);
  EXPECT_EQ(chunk(asked).data.text(), "nd");
  asked.attempt = Attempt(1);
  const Chunk newest = chunk(asked);
  EXPECT_EQ(newest.data.text(), "second");
  EXPECT_EQ(newest.offset, 0U);
  EXPECT_EQ(newest.attempt, Attempt(2));
  asked.attempt = Attempt(3);
  const Chunk nothing_yet = chunk(asked, /*held=*/true);
  EXPECT_TRUE(nothing_yet.data.empty());
  EXPECT_EQ(nothing_yet.attempt, Attempt(3));
  EXPECT_FALSE(nothing_yet.eof);
  EXPECT_EQ(chunk(asked).attempt, Attempt(2)) << "the last one never started";
}

TEST_F(LogReaderTest, ReadsFromAnOffsetAndKnowsTheEnd) {
  attempt(1, 1, "0123456789");
  Chunk part = chunk(fetch(3, 4));
  EXPECT_EQ(part.data.text(), "3456");
  EXPECT_EQ(part.offset, 3U);
  EXPECT_EQ(part.task, kTask);
  EXPECT_FALSE(part.eof);
  part = chunk(fetch(7));
  EXPECT_EQ(part.data.text(), "789");
  EXPECT_TRUE(part.eof);
  EXPECT_FALSE(chunk(fetch(7), /*held=*/true).eof);
  part = chunk(fetch(1'000'000'000'000));
  EXPECT_TRUE(part.data.empty());
  EXPECT_TRUE(part.eof);
}

TEST_F(LogReaderTest, OneChunkIsBounded) {
  attempt(1, 1, std::string(limits::kMaxLogChunkBytes + 5, 'x'));
  EXPECT_EQ(chunk(fetch(0)).data.size(), limits::kMaxLogChunkBytes);
  EXPECT_FALSE(chunk(fetch(0)).eof);
  EXPECT_EQ(chunk(fetch(0, 0xFFFF'FFFF)).data.size(), limits::kMaxLogChunkBytes);
}

TEST_F(LogReaderTest, AStreamThatWasNeverWrittenIsEmpty) {
  attempt(1, 1, "out");
  Fetch err = fetch(0);
  err.stream = LogStream::err;
  const Chunk part = chunk(err);
  EXPECT_TRUE(part.data.empty());
  EXPECT_TRUE(part.eof);
}

TEST_F(LogReaderTest, WhatIsNotKeptIsUnknownUnlessItHasOnlyJustBegun) {
  const auto answer = read_log(root(), fetch(0), false);
  ASSERT_TRUE(std::holds_alternative<Error>(answer));
  EXPECT_EQ(std::get<Error>(answer).code, ErrorCode::unknown_task);
  EXPECT_FALSE(chunk(fetch(0), true).eof);
}

TEST_F(LogReaderTest, ALinkInTheFolderIsNotFollowed) {
  attempt(1, 1, "");
  const fs::path log = folder_ / kTask.to_string() / "1-1" / std::string(kStdoutFile);
  fs::remove(log);
  fs::create_symlink("/etc/passwd", log);
  const auto answer = read_log(root(), fetch(0), false);
  ASSERT_TRUE(std::holds_alternative<Error>(answer));
  EXPECT_EQ(std::get<Error>(answer).code, ErrorCode::storage);
}

TEST_F(LogReaderTest, AnswersThroughTheMailbox) {
  attempt(1, 1, "abc");
  CommandMailbox commands;
  LogReader reader(root(), commands);
  reader.read({SessionId(5), Correlation(6), fetch(1), false});
  const auto answers = testing::take_commands(commands, 1);
  ASSERT_EQ(answers.size(), 1U);
  const auto& answer = std::get<command::LogRead>(answers[0]);
  EXPECT_EQ(answer.session, SessionId(5));
  EXPECT_EQ(answer.correlation, Correlation(6));
  EXPECT_EQ(std::get<Chunk>(answer.answer).data.text(), "bc");
}

}  // namespace
}  // namespace taskpipe::worker
