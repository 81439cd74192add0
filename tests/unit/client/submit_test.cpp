// Submits: batching, credit, acknowledgement, resending, refusals.
#include "tests/unit/client/session_harness.hpp"

namespace taskpipe::client::testing {
namespace {

using SubmitTest = SessionHarness;

std::size_t items_of(const Outgoing& sent) { return std::get<Submit>(sent.message).items.size(); }
TaskId id_of(const Outgoing& sent, std::size_t i) {
  return std::get<Submit>(sent.message).items.at(i).id;
}

TEST_F(SubmitTest, SharesOneMessageAndOneSpec) {
  connect();
  const CallId a = submit({task(1, 10, spec_of("x"))});
  const CallId b = submit({task(2, 10, spec_of("x")), task(3, 10, spec_of("y"))});
  const auto sends = sent<Submit>(turn());
  ASSERT_EQ(sends.size(), 1U);
  const auto& message = std::get<Submit>(sends[0].message);
  EXPECT_EQ(message.items.size(), 3U);
  ASSERT_EQ(message.specs.size(), 2U);  // equal by content, not by address
  EXPECT_EQ(message.items[1].spec, 0U);
  EXPECT_EQ(message.items[2].spec, 1U);
  EXPECT_FALSE(sends[0].resend);
  acknowledge(sends[0]);
  const auto accepted = delivered<delivery::TasksAccepted>(turn());
  ASSERT_EQ(accepted.size(), 2U);
  EXPECT_EQ(accepted[0].first.call, a);
  EXPECT_TRUE(accepted[0].first.last);
  EXPECT_EQ(accepted[1].first.call, b);
  EXPECT_EQ(accepted[1].second.count, 2U);
  EXPECT_TRUE(accepted[1].first.last);
}

TEST_F(SubmitTest, MessagesEndAtTheirBounds) {
  connect();
  submit(tasks(1, 600));
  auto sends = sent<Submit>(turn());
  ASSERT_EQ(sends.size(), 3U);
  EXPECT_EQ(items_of(sends[0]), limits::kMaxBatchItems);
  EXPECT_EQ(items_of(sends[2]), 600 - 2 * limits::kMaxBatchItems);

  submit(tasks(1000, 100, 4000));  // 400 kB inline
  sends = sent<Submit>(turn());
  EXPECT_EQ(sends.size(), 2U);

  submit(tasks(2000, 70, limits::kMaxInlinePayloadBytes + 1));  // a blob each
  sends = sent<Submit>(turn());
  for (const auto& send : sends) EXPECT_LE(items_of(send), limits::kMaxBlobs);

  submit(tasks(3000, 3, limits::kMaxBatchBytes + 1));  // each larger than a batch
  EXPECT_EQ(sent<Submit>(turn()).size(), 3U);
}

TEST_F(SubmitTest, HonoursTheBrokersBatchBound) {
  begin(command::Connect{});
  turn();
  receive_in(SessionId{}, Who{epoch_});
  turn();
  Welcome w = welcome();
  w.max_batch_items = 10;
  receive(w);
  submit(tasks(1, 25));
  EXPECT_EQ(sent<Submit>(turn()).size(), 3U);
}

TEST_F(SubmitTest, StaysWithinTheItemCredit) {
  credit_items_ = 100;
  connect();
  submit(tasks(1, 250));
  auto sends = sent<Submit>(turn());
  // Nothing was in flight, so the first message may exceed the credit; no second one does.
  ASSERT_EQ(sends.size(), 1U);
  const std::size_t first = items_of(sends[0]);
  EXPECT_TRUE(sent<Submit>(run_for(Millis(1000))).empty());
  credit_items_ = first + 100;
  acknowledge(sends[0]);
  submit(tasks(1000, 150));
  sends = sent<Submit>(turn());
  std::size_t count = 0;
  for (const auto& send : sends) count += items_of(send);
  EXPECT_GT(count, 0U);
  EXPECT_LE(count, 150U);
}

TEST_F(SubmitTest, StaysWithinTheByteCredit) {
  credit_bytes_ = 1000;
  connect();
  submit(tasks(1, 1, 600));
  auto first = sent<Submit>(turn());
  ASSERT_EQ(first.size(), 1U);
  submit(tasks(2, 1, 600));
  EXPECT_TRUE(sent<Submit>(turn()).empty());
  EXPECT_TRUE(sent<Submit>(run_for(Millis(1000))).empty());
  credit_bytes_ = 1600;
  acknowledge(first[0]);
  EXPECT_EQ(sent<Submit>(turn()).size(), 1U);
}

TEST_F(SubmitTest, CreditNeverLocksUpWithNothingInFlight) {
  credit_items_ = 0;
  connect();
  submit(tasks(1, 1));
  const auto first = sent<Submit>(turn());
  ASSERT_EQ(first.size(), 1U);
  submit(tasks(2, 1));
  EXPECT_TRUE(sent<Submit>(turn()).empty());
  acknowledge(first[0]);  // no more credit granted
  EXPECT_EQ(sent<Submit>(turn()).size(), 1U);
}

TEST_F(SubmitTest, ResendsWithTheSameIdDoublingUpToTheCap) {
  connect();
  submit(tasks(1, 2));
  const auto first = sent<Submit>(turn());
  ASSERT_EQ(first.size(), 1U);
  std::vector<double> gaps;
  MonotonicTime last = now_;
  const MonotonicTime end = now_ + Millis(200'000);
  while (now_ < end) {
    now_ = *core_.next_deadline();
    for (const auto& again : sent<Submit>(turn())) {
      EXPECT_TRUE(again.resend);
      EXPECT_EQ(id_of(again, 0), task_id(1));
      EXPECT_EQ(items_of(again), 2U);
      gaps.push_back(std::chrono::duration<double>(now_ - last).count());
      last = now_;
    }
    receive(Pong{});  // the session is alive, only the acknowledgement is missing
  }
  ASSERT_GE(gaps.size(), 6U);
  EXPECT_NEAR(gaps[0], 2.0, 0.41);
  EXPECT_NEAR(gaps[1], 4.0, 0.81);
  EXPECT_NEAR(gaps[2], 8.0, 1.61);
  for (const double gap : gaps) EXPECT_LE(gap, 36.1);
  EXPECT_NEAR(gaps.back(), 30.0, 6.1);
}

TEST_F(SubmitTest, ResendsOnlyWhatIsUnanswered) {
  connect();
  const CallId call = submit(tasks(1, 3));
  const auto first = sent<Submit>(turn());
  SubmitAck partial;
  partial.items.push_back(TaskCode{task_id(2), ErrorCode::ok});
  partial.messages_total = credit_items_;
  partial.bytes_total = credit_bytes_;
  receive(partial, first.at(0).correlation);
  const auto accepted = delivered<delivery::TasksAccepted>(turn());
  ASSERT_EQ(accepted.size(), 1U);
  EXPECT_FALSE(accepted[0].first.last);
  const auto again = sent<Submit>(run_for(Millis(2500)));
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(items_of(again[0]), 2U);
  EXPECT_EQ(id_of(again[0], 1), task_id(3));
  acknowledge(again[0]);
  acknowledge(again[0]);  // a repeated acknowledgement changes nothing
  const auto rest = delivered<delivery::TasksAccepted>(turn());
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].first.call, call);
  EXPECT_EQ(rest[0].second.count, 2U);
  EXPECT_TRUE(rest[0].first.last);
}

TEST_F(SubmitTest, AfterAReconnectTheUnansweredLeaveFirstAndAtOnce) {
  connect();
  submit(tasks(1, 2));
  turn();
  core_.on_unsendable(now_, out_);
  turn();
  submit(tasks(10, 1));
  EXPECT_TRUE(turn().sends.empty());
  const auto sends = sent<Submit>(establish());
  ASSERT_EQ(sends.size(), 2U);
  EXPECT_TRUE(sends[0].resend);
  EXPECT_EQ(id_of(sends[0], 0), task_id(1));
  EXPECT_EQ(sends[0].session, session_);
  EXPECT_FALSE(sends[1].resend);
  EXPECT_EQ(id_of(sends[1], 0), task_id(10));
}

TEST_F(SubmitTest, AnIdThatTheCallerChoseIsLookedUpInTheHistory) {
  connect();
  auto chosen = tasks(1, 1);
  chosen.front().id_given = true;
  submit(chosen);
  submit(tasks(10, 1));
  const auto sends = sent<Submit>(turn());
  ASSERT_EQ(sends.size(), 2U);
  EXPECT_TRUE(sends[0].resend);
  EXPECT_EQ(id_of(sends[0], 0), task_id(1));
  EXPECT_FALSE(sends[1].resend);
}

TEST_F(SubmitTest, ARestartedBrokersCreditStartsAnew) {
  credit_items_ = 10;
  connect();
  submit(tasks(1, 10));
  ASSERT_EQ(sent<Submit>(turn()).size(), 1U);
  submit(tasks(20, 5));
  EXPECT_TRUE(sent<Submit>(turn()).empty());
  receive_in(SessionId{}, Who{Epoch{8}});
  turn();
  credit_items_ = 100;
  session_ = session_.next();
  receive(welcome());
  std::size_t count = 0;
  for (const auto& send : sent<Submit>(turn())) count += items_of(send);
  EXPECT_EQ(count, 15U);
}

TEST_F(SubmitTest, RefusalOfOneItemLeavesTheOthers) {
  connect();
  const CallId call = submit(tasks(1, 3));
  const auto sends = sent<Submit>(turn());
  SubmitAck ack;
  ack.items = {TaskCode{task_id(1), ErrorCode::ok}, TaskCode{task_id(2), ErrorCode::unsatisfiable},
               TaskCode{task_id(3), ErrorCode::ok}};
  ack.error = Error{ErrorCode::unsatisfiable, "no worker offers the tool 'tool'", "tool"};
  ack.messages_total = credit_items_;
  receive(ack, sends.at(0).correlation);
  Effects& effects = turn();
  EXPECT_EQ(accepted_count(effects), 2U);
  const auto refused = delivered<delivery::TaskRefused>(effects);
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].first.call, call);
  EXPECT_EQ(refused[0].second.index, 1U);
  EXPECT_EQ(refused[0].second.error.error.field, "tool");
  EXPECT_TRUE(effects.deliveries.back().last);
}

TEST_F(SubmitTest, RefusalWithoutATextNamesTheTask) {
  connect();
  submit(tasks(5, 1));
  acknowledge(sent<Submit>(turn()).at(0), ErrorCode::id_conflict);
  const auto refused = delivered<delivery::TaskRefused>(turn());
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_TRUE(refused[0].second.error.is(ErrorCode::id_conflict));
  EXPECT_NE(refused[0].second.error.text().find(task_id(5).to_string()), std::string::npos);
}

TEST_F(SubmitTest, BusyItemsAreSentAgainAfterRetryMsAndNotBefore) {
  connect();
  submit(tasks(1, 2));
  const auto first = sent<Submit>(turn());
  acknowledge(first.at(0), ErrorCode::busy, Error{ErrorCode::busy, "overload", {}, 1500});
  submit(tasks(10, 1));  // overload concerns new ones as well
  EXPECT_TRUE(sent<Submit>(run_for(Millis(1499))).empty());
  const auto again = sent<Submit>(run_for(Millis(2)));
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(items_of(again[0]), 3U);
  EXPECT_EQ(id_of(again[0], 0), task_id(1));
  EXPECT_FALSE(again[0].resend) << "nobody else can have submitted them";
}

TEST_F(SubmitTest, WhatWasRefusedForNowIsLookedForIfItsIdWasTold) {
  connect();
  auto told = tasks(1, 2);
  for (auto& task : told) task.id_told = true;
  submit(told);
  const auto first = sent<Submit>(turn());
  EXPECT_FALSE(first.at(0).resend);
  acknowledge(first.at(0), ErrorCode::busy, Error{ErrorCode::busy, "overload", {}, 1500});
  submit(tasks(10, 1));
  const auto again = sent<Submit>(run_for(Millis(1501)));
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(items_of(again[0]), 2U) << "one message asks, and the new ones wait for its answer";
  EXPECT_EQ(id_of(again[0], 0), task_id(1));
  EXPECT_TRUE(again[0].resend) << "somebody may have submitted the same id since";
}

TEST_F(SubmitTest, BusyAsAWholeMessageIsTheSame) {
  connect();
  submit(tasks(1, 2));
  const auto first = sent<Submit>(turn());
  receive(ErrorReply{Error{ErrorCode::busy, "overload", {}, 300}}, first.at(0).correlation);
  EXPECT_EQ(sent<Submit>(run_for(Millis(301))).size(), 1U);
}

// A client that repeated its whole window each time would burden a broker that has no room anyhow.
TEST_F(SubmitTest, ABusyBrokerIsAskedByOneMessageUntilItTakesOne) {
  connect();
  submit(tasks(1, 3 * limits::kMaxBatchItems));
  const Error busy{ErrorCode::busy, "full", {}, 1000};
  for (const auto& message : sent<Submit>(turn())) acknowledge(message, ErrorCode::busy, busy);
  for (int round = 0; round < 3; ++round) {
    const auto asked = sent<Submit>(run_for(Millis(1001)));
    ASSERT_EQ(asked.size(), 1U) << round;
    EXPECT_TRUE(sent<Submit>(turn()).empty());
    acknowledge(asked[0], ErrorCode::busy, busy);
  }
  const auto asked = sent<Submit>(run_for(Millis(1001)));
  ASSERT_EQ(asked.size(), 1U);
  acknowledge(asked[0]);
  EXPECT_EQ(sent<Submit>(turn()).size(), 2U) << "there is room again";
}

TEST_F(SubmitTest, TheMessageThatAsksABusyBrokerIsRepeatedWhenItGetsLost) {
  connect();
  submit(tasks(1, 2 * limits::kMaxBatchItems));
  const Error busy{ErrorCode::busy, "full", {}, 1000};
  for (const auto& message : sent<Submit>(turn())) acknowledge(message, ErrorCode::busy, busy);
  const auto asked = sent<Submit>(run_for(Millis(1001)));
  ASSERT_EQ(asked.size(), 1U);
  const auto again = sent<Submit>(run_for(Millis(2 * limits::kResendFirstMs)));
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again[0].correlation, asked[0].correlation);
}

TEST_F(SubmitTest, ATimeoutSaysWhatTheBrokerAnsweredMeanwhile) {
  connect();
  const CallId call = submit(tasks(1, 1), Millis(2500));
  for (int i = 0; i < 2; ++i) {
    const auto asked = sent<Submit>(run_for(Millis(1001)));
    ASSERT_EQ(asked.size(), 1U);
    acknowledge(asked[0], ErrorCode::busy, Error{ErrorCode::busy, "memory is full", {}, 1000});
  }
  const auto refused = delivered<delivery::TaskRefused>(run_for(Millis(1000)));
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].first.call, call);
  EXPECT_EQ(refused[0].second.error.failure, CallFailure::timed_out);
  EXPECT_NE(refused[0].second.error.text().find("BUSY: memory is full"), std::string::npos)
      << refused[0].second.error.text();
  EXPECT_FALSE(refused[0].second.error.maybe_accepted.has_value()) << "it was refused for certain";
}

TEST_F(SubmitTest, FlowIsRetried) {
  connect();
  submit(tasks(1, 1));
  acknowledge(sent<Submit>(turn()).at(0), ErrorCode::flow);
  EXPECT_EQ(sent<Submit>(run_for(Millis(limits::kBusyRetryMs + 1))).size(), 1U);
}

TEST_F(SubmitTest, StorageIsReportedAtOnce) {
  connect();
  submit(tasks(1, 1));
  acknowledge(sent<Submit>(turn()).at(0), ErrorCode::storage,
              Error{ErrorCode::storage, "the journal is full; free space", {}, 5000});
  const auto refused = delivered<delivery::TaskRefused>(turn());
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_TRUE(refused[0].second.error.is(ErrorCode::storage));
  EXPECT_EQ(refused[0].second.error.error.retry_ms, 5000U);
}

TEST_F(SubmitTest, UnencodableMessageFailsItsItems) {
  connect();
  submit(tasks(1, 1));
  const auto sends = sent<Submit>(turn());
  core_.on_unencodable(sends.at(0).correlation, Error{ErrorCode::too_big, "params", "items[0]"},
                       now_, out_);
  const auto refused = delivered<delivery::TaskRefused>(turn());
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_TRUE(refused[0].second.error.is(ErrorCode::too_big));
}

TEST_F(SubmitTest, TimeoutSaysWhetherTheTaskMayHaveBeenAccepted) {
  credit_items_ = 1;
  connect();
  const CallId sent_one = submit(tasks(1, 1), Millis(1000));
  turn();
  const CallId held_back = submit(tasks(2, 1), Millis(1000));
  const Effects effects = run_for(Millis(1001));
  const auto refused = delivered<delivery::TaskRefused>(effects);
  ASSERT_EQ(refused.size(), 2U);
  EXPECT_EQ(refused[0].first.call, sent_one);
  EXPECT_EQ(refused[0].second.error.failure, CallFailure::timed_out);
  EXPECT_EQ(refused[0].second.error.maybe_accepted, task_id(1));
  EXPECT_EQ(refused[1].first.call, held_back);
  EXPECT_FALSE(refused[1].second.error.maybe_accepted);
  EXPECT_TRUE(refused[1].first.last);
  EXPECT_TRUE(sent<Submit>(run_for(Millis(10'000))).empty());  // given up
}

TEST_F(SubmitTest, AnOutageKeepsSubmitsUntilTheyAreAcknowledged) {
  connect();
  const CallId call = submit(tasks(1, 1));
  turn();
  core_.on_unsendable(now_, out_);
  EXPECT_TRUE(run_for(Millis(600'000)).deliveries.empty());
  const auto again = sent<Submit>(establish());
  ASSERT_EQ(again.size(), 1U);
  acknowledge(again[0]);
  const auto accepted = delivered<delivery::TasksAccepted>(turn());
  ASSERT_EQ(accepted.size(), 1U);
  EXPECT_EQ(accepted[0].first.call, call);
}

TEST_F(SubmitTest, ForgottenCallsAreNeitherSentNorAnswered) {
  connect();
  const CallId gone = submit(tasks(1, 2));
  const auto sends = sent<Submit>(turn());
  core_.forget(gone);
  acknowledge(sends.at(0));
  Effects& effects = turn();
  EXPECT_TRUE(effects.deliveries.empty());
  EXPECT_TRUE(sent<Submit>(run_for(Millis(5000))).empty());
}

}  // namespace
}  // namespace taskpipe::client::testing
