// Waits and logs.
#include "tests/unit/client/session_harness.hpp"

namespace taskpipe::client::testing {
namespace {

using WaitTest = SessionHarness;

TEST_F(WaitTest, OneRegistrationServesEveryWaiter) {
  connect();
  wait({task_id(1)});
  wait({task_id(1), task_id(2)});
  const auto waits = sent<Wait>(turn());
  ASSERT_EQ(waits.size(), 1U);
  EXPECT_EQ(std::get<Wait>(waits[0].message).tasks.size(), 2U);
  EXPECT_TRUE(sent<Wait>(run_for(Millis(10'000))).empty());
}

TEST_F(WaitTest, EveryWaiterIsToldOnceAndDoneMayRepeat) {
  connect();
  const CallId a = wait({task_id(1)});
  const CallId b = wait({task_id(1), task_id(2)});
  turn();
  receive_done(1);
  receive_done(1);
  auto ended = delivered<delivery::TasksEnded>(turn());
  ASSERT_EQ(ended.size(), 2U);
  EXPECT_EQ(ended[0].first.call, a);
  EXPECT_TRUE(ended[0].first.last);
  EXPECT_EQ(ended[1].first.call, b);
  EXPECT_FALSE(ended[1].first.last);
  receive_done(2);
  ended = delivered<delivery::TasksEnded>(turn());
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_TRUE(ended[0].first.last);
}

TEST_F(WaitTest, EndsOfOneMessageComeTogether) {
  connect();
  std::vector<TaskId> ids;
  Done done;
  for (std::uint64_t n = 1; n <= 5; ++n) {
    ids.push_back(task_id(n));
    done.tasks.push_back(done_task(n));
  }
  wait(ids);
  turn();
  receive(done);
  const auto ended = delivered<delivery::TasksEnded>(turn());
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].second.tasks.size(), 5U);
}

TEST_F(WaitTest, UnknownIdFailsItsWaitersOnly) {
  connect();
  const CallId hopeless = wait({task_id(1), task_id(2)});
  const CallId fine = wait({task_id(2)});
  turn();
  Done done;
  done.unknown.push_back(task_id(1));
  receive(done);
  const auto failed = delivered<delivery::Failed>(turn());
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].first.call, hopeless);
  EXPECT_TRUE(failed[0].second.error.is(ErrorCode::unknown_task));
  EXPECT_NE(failed[0].second.error.text().find(task_id(1).to_string()), std::string::npos);
  receive_done(2);
  const auto ended = delivered<delivery::TasksEnded>(turn());
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].first.call, fine);
}

TEST_F(WaitTest, EveryOpenWaitIsRepeatedInANewSession) {
  connect();
  wait({task_id(1), task_id(2), task_id(3)});
  begin(command::AwaitWorkflow{WorkflowId(9, 9)});
  turn();
  receive_done(2);
  turn();
  core_.on_unsendable(now_, out_);
  turn();
  const auto waits = sent<Wait>(establish());
  ASSERT_EQ(waits.size(), 1U);
  const auto& repeated = std::get<Wait>(waits[0].message);
  EXPECT_EQ(repeated.tasks, (std::vector<TaskId>{task_id(1), task_id(3)}));
  EXPECT_EQ(repeated.workflows.size(), 1U);
}

TEST_F(WaitTest, LargeWaitsAreSplit) {
  connect();
  std::vector<TaskId> ids;
  for (std::uint64_t n = 1; n <= 600; ++n) ids.push_back(task_id(n));
  wait(ids);
  const auto waits = sent<Wait>(turn());
  ASSERT_EQ(waits.size(), 3U);
  EXPECT_EQ(std::get<Wait>(waits[0].message).tasks.size(), limits::kMaxBatchItems);
}

TEST_F(WaitTest, ATimeoutEndsTheWaitNotTheTask) {
  connect();
  const CallId call = wait({task_id(1)}, Millis(500));
  const Effects effects = run_for(Millis(501));
  const auto failed = delivered<delivery::Failed>(effects);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].first.call, call);
  EXPECT_EQ(failed[0].second.error.failure, CallFailure::timed_out);
  EXPECT_TRUE(sent<Cancel>(effects).empty());
  receive_done(1);
  EXPECT_TRUE(turn().deliveries.empty());
  wait({task_id(1)});  // asks again
  EXPECT_EQ(sent<Wait>(turn()).size(), 1U);
}

TEST_F(WaitTest, BusyWaitIsRepeatedLater) {
  connect();
  wait({task_id(1)});
  const auto waits = sent<Wait>(turn());
  receive(ErrorReply{Error{ErrorCode::busy, "lookups", {}, 250}}, waits.at(0).correlation);
  EXPECT_TRUE(sent<Wait>(run_for(Millis(249))).empty());
  EXPECT_EQ(sent<Wait>(run_for(Millis(2))).size(), 1U);
}

TEST_F(WaitTest, RefusedWaitFailsWhatItCarried) {
  connect();
  const CallId refused = wait({task_id(1)});
  const auto waits = sent<Wait>(turn());
  wait({task_id(2)});
  turn();
  receive(ErrorReply{Error{ErrorCode::denied, "not yours", {}}}, waits.at(0).correlation);
  const auto failed = delivered<delivery::Failed>(turn());
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].first.call, refused);
}

TEST_F(WaitTest, WorkflowEnds) {
  connect();
  const CallId call = begin(command::AwaitWorkflow{WorkflowId(9, 9)});
  const CallId lost = begin(command::AwaitWorkflow{WorkflowId(8, 8)});
  turn();
  Done done;
  done.workflows.push_back(DoneWorkflow{WorkflowId(9, 9), 3, 2});
  done.unknown_workflows.push_back(WorkflowId(8, 8));
  receive(done);
  Effects& effects = turn();
  const auto ended = delivered<delivery::WorkflowEnded>(effects);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].first.call, call);
  EXPECT_EQ(ended[0].second.workflow.succeeded, 2U);
  const auto failed = delivered<delivery::Failed>(effects);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].first.call, lost);
}

// --- Logs

class LogTest : public SessionHarness {
 protected:
  CallId read(bool follow, std::uint64_t offset = 0) {
    return begin(command::ReadLog{task_id(1), LogStream::out, offset, follow});
  }
  void chunk(const Outgoing& fetch, std::uint64_t offset, const std::string& text,
             bool eof = false) {
    receive(Chunk{task_id(1), LogStream::out, offset, eof, Payload(text)}, fetch.correlation);
  }
  // Answers the first FETCH with nothing, and returns the one that follows.
  Outgoing follow_from_start() {
    chunk(sent<Fetch>(turn()).at(0), 0, "");
    return sent<Fetch>(turn()).at(0);
  }
  static std::string text_of(const Effects& effects) {
    std::string text;
    for (const auto& [one, what] : delivered<delivery::LogArrived>(effects)) {
      text += what.chunk.data.text();
    }
    return text;
  }
};

TEST_F(LogTest, CatchesUpThenFollowsUntilTheEnd) {
  connect();
  const CallId call = read(true);
  auto fetch = sent<Fetch>(turn());
  ASSERT_EQ(fetch.size(), 1U);
  EXPECT_FALSE(std::get<Fetch>(fetch[0].message).follow);
  chunk(fetch[0], 0, "abc");
  fetch = sent<Fetch>(turn());
  ASSERT_EQ(fetch.size(), 1U);
  EXPECT_FALSE(std::get<Fetch>(fetch[0].message).follow);
  EXPECT_EQ(std::get<Fetch>(fetch[0].message).offset, 3U);
  chunk(fetch[0], 3, "");  // that is all there is now
  fetch = sent<Fetch>(turn());
  ASSERT_EQ(fetch.size(), 1U);
  EXPECT_TRUE(std::get<Fetch>(fetch[0].message).follow);
  chunk(fetch[0], 3, "def");
  chunk(fetch[0], 6, "", true);
  Effects& effects = turn();
  EXPECT_EQ(text_of(effects), "def");
  EXPECT_EQ(effects.deliveries.back().call, call);
  EXPECT_TRUE(effects.deliveries.back().last);
  EXPECT_TRUE(sent<Fetch>(effects).empty());
}

TEST_F(LogTest, WithoutFollowReadsToWhatThereIs) {
  connect();
  read(false);
  auto fetch = sent<Fetch>(turn());
  chunk(fetch.at(0), 0, "abc");
  fetch = sent<Fetch>(turn());
  ASSERT_EQ(fetch.size(), 1U);
  EXPECT_EQ(std::get<Fetch>(fetch[0].message).offset, 3U);
  chunk(fetch[0], 3, "");
  Effects& effects = turn();
  ASSERT_EQ(effects.deliveries.size(), 1U);
  EXPECT_TRUE(effects.deliveries[0].last);
}

TEST_F(LogTest, NothingIsLostOrRepeatedAcrossAReconnect) {
  connect();
  read(true);
  const Outgoing first = follow_from_start();
  chunk(first, 0, "abc");
  turn();
  core_.on_unsendable(now_, out_);
  turn();
  const auto again = sent<Fetch>(establish());
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(std::get<Fetch>(again[0].message).offset, 3U);
  EXPECT_FALSE(std::get<Fetch>(again[0].message).follow);
  chunk(first, 3, "old");      // of the earlier FETCH
  chunk(again[0], 2, "cdef");  // overlaps
  EXPECT_EQ(text_of(turn()), "def");
}

TEST_F(LogTest, AGapIsAskedForAgainOnce) {
  connect();
  read(true);
  Outgoing follow = follow_from_start();
  chunk(follow, 0, "abc");
  chunk(follow, 10, "later");
  Effects& effects = turn();
  EXPECT_EQ(text_of(effects), "abc");
  const auto again = sent<Fetch>(effects);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(std::get<Fetch>(again[0].message).offset, 3U);
  EXPECT_FALSE(std::get<Fetch>(again[0].message).follow);
  chunk(again[0], 3, "");  // nobody has it
  follow = sent<Fetch>(turn()).at(0);
  chunk(follow, 10, "later");
  const auto arrived = delivered<delivery::LogArrived>(turn());
  ASSERT_EQ(arrived.size(), 1U);
  EXPECT_EQ(arrived[0].second.chunk.offset, 10U);
}

TEST_F(LogTest, AFullChunkIsFollowedByCatchingUp) {
  // Following a task that has ended is answered by one chunk of its file, however long that is.
  connect();
  read(true);
  const Outgoing follow = follow_from_start();
  chunk(follow, 0, std::string(limits::kMaxLogChunkBytes, 'x'));
  const auto next = sent<Fetch>(turn());
  ASSERT_EQ(next.size(), 1U);
  EXPECT_EQ(std::get<Fetch>(next[0].message).offset, limits::kMaxLogChunkBytes);
}

TEST_F(LogTest, ASlowReaderPausesTheStream) {
  connect();
  const CallId call = read(true);
  const std::string piece(limits::kMaxLogChunkBytes, 'x');
  std::size_t delivered_bytes = 0;
  for (auto fetch = sent<Fetch>(turn()); !fetch.empty(); fetch = sent<Fetch>(turn())) {
    ASSERT_LT(delivered_bytes, 10 * limits::kMaxUnreadLogBytes);
    chunk(fetch.at(0), std::get<Fetch>(fetch[0].message).offset, piece);
    delivered_bytes += piece.size();
  }
  EXPECT_GT(delivered_bytes, limits::kMaxUnreadLogBytes);
  EXPECT_LE(delivered_bytes, limits::kMaxUnreadLogBytes + piece.size());
  core_.log_consumed(call, 1);
  EXPECT_TRUE(sent<Fetch>(turn()).empty());
  core_.log_consumed(call, delivered_bytes);
  const auto again = sent<Fetch>(turn());
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(std::get<Fetch>(again[0].message).offset, delivered_bytes);
}

TEST_F(LogTest, EachAnswerRenewsTheTimeoutOfAStepwiseRead) {
  connect();
  const CallId call{900};
  core_.begin(
      CallStart{call, command::ReadLog{task_id(1), LogStream::out, 0, false}, Millis(1000), true},
      now_, out_);
  auto fetch = sent<Fetch>(turn());
  run_for(Millis(900));
  chunk(fetch.at(0), 0, "abc");
  EXPECT_TRUE(delivered<delivery::Failed>(run_for(Millis(900))).empty());
  const auto failed = delivered<delivery::Failed>(run_for(Millis(200)));
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].second.error.failure, CallFailure::timed_out);
}

TEST_F(LogTest, ASecondReaderOfTheSameStreamIsRefused) {
  connect();
  read(true);
  const CallId second = read(false);
  const auto failed = delivered<delivery::Failed>(turn());
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].first.call, second);
  EXPECT_TRUE(failed[0].second.error.is(ErrorCode::busy));
}

TEST_F(LogTest, UnknownTaskEndsTheCall) {
  connect();
  const CallId call = read(true);
  const auto fetch = sent<Fetch>(turn());
  receive(ErrorReply{Error{ErrorCode::unknown_task, "", ""}}, fetch.at(0).correlation);
  const auto failed = delivered<delivery::Failed>(turn());
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].first.call, call);
  EXPECT_FALSE(failed[0].second.error.text().empty());
}

}  // namespace
}  // namespace taskpipe::client::testing
