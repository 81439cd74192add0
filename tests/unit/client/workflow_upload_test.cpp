// Workflows on their way to the broker: parts, starting over, refusals.
#include "tests/unit/client/session_harness.hpp"

namespace taskpipe::client::testing {
namespace {

using WorkflowUploadTest = SessionHarness;

command::UploadWorkflow workflow(std::size_t count) {
  command::UploadWorkflow upload;
  upload.id = WorkflowId(5, 5);
  upload.name = "w";
  upload.tasks = tasks(1, count);
  upload.dependencies.resize(count);
  return upload;
}

WorkflowAck received(std::uint32_t count, Error error = {}) {
  return WorkflowAck{WorkflowId(5, 5), count, std::move(error)};
}

TEST_F(WorkflowUploadTest, WorkflowsTravelInPartsWithinABoundedWindow) {
  connect();
  const std::size_t total = 256 * (limits::kMaxWorkflowPartsInFlight + 2);
  const CallId call = begin(workflow(total));
  auto parts = sent<SubmitWorkflow>(turn());
  ASSERT_EQ(parts.size(), limits::kMaxWorkflowPartsInFlight);
  const auto& second = std::get<SubmitWorkflow>(parts[1].message);
  EXPECT_EQ(second.first_index, 256U);
  EXPECT_EQ(second.total, total);
  EXPECT_EQ(second.dependencies.size(), second.items.size());
  EXPECT_FALSE(parts[1].resend);
  std::uint32_t count = 0;
  std::size_t outstanding = parts.size();
  Effects effects;
  while (outstanding > 0) {
    count += 256;
    receive(received(count), parts[0].correlation);
    effects = turn();
    outstanding += sent<SubmitWorkflow>(effects).size();
    --outstanding;
  }
  EXPECT_EQ(count, total);
  const auto accepted = delivered<delivery::WorkflowAccepted>(effects);
  ASSERT_EQ(accepted.size(), 1U);
  EXPECT_EQ(accepted[0].first.call, call);
}

// Submits leave first, and the broker takes a correlation that does not rise for a repetition.
TEST_F(WorkflowUploadTest, CorrelationsRiseInTheOrderOfSending) {
  connect();
  begin(workflow(600));
  begin(command::SubmitTasks{tasks(1000, 1)});
  const Effects effects = turn();
  const auto submits = sent<Submit>(effects);
  const auto parts = sent<SubmitWorkflow>(effects);
  ASSERT_EQ(submits.size(), 1U);
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_LT(submits[0].correlation, parts[0].correlation);
  EXPECT_EQ(parts[0].correlation, parts[2].correlation);
}

TEST_F(WorkflowUploadTest, WorkflowStartsOverInANewSession) {
  connect();
  begin(workflow(600));
  const auto first = sent<SubmitWorkflow>(turn());
  ASSERT_EQ(first.size(), 3U);
  receive(received(256), first[0].correlation);
  turn();
  receive_in(SessionId{}, Who{Epoch{8}});
  turn();
  session_ = session_.next();
  receive(welcome());
  const auto parts = sent<SubmitWorkflow>(turn());
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(std::get<SubmitWorkflow>(parts[0].message).first_index, 0U);
  EXPECT_TRUE(parts[0].resend);
}

TEST_F(WorkflowUploadTest, SilentWorkflowStartsOverAndOldAnswersDoNotCount) {
  connect();
  const CallId call = begin(workflow(600));
  const auto first = sent<SubmitWorkflow>(turn());
  receive(received(256), first.at(0).correlation);
  const auto parts = sent<SubmitWorkflow>(run_for(Millis(2500)));
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(std::get<SubmitWorkflow>(parts[0].message).first_index, 0U);
  EXPECT_TRUE(parts[0].resend);
  receive(received(0, Error{ErrorCode::invalid, "does not follow", "first_index"}),
          first[0].correlation);
  EXPECT_TRUE(turn().deliveries.empty());
  receive(received(600), parts[0].correlation);
  const auto accepted = delivered<delivery::WorkflowAccepted>(turn());
  ASSERT_EQ(accepted.size(), 1U);
  EXPECT_EQ(accepted[0].first.call, call);
}

TEST_F(WorkflowUploadTest, AnAnswerThatComesTwiceDoesNotStandForThoseThatAreMissing) {
  connect();
  begin(workflow(600));
  const auto first = sent<SubmitWorkflow>(turn());
  ASSERT_EQ(first.size(), 3U);
  for (std::size_t i = 0; i < first.size(); ++i) receive(received(256), first[0].correlation);
  turn();
  ASSERT_GT(core_.next_deadline(), now_);  // nothing is due: it does not spin
  const auto parts = sent<SubmitWorkflow>(run_for(Millis(2500)));
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(std::get<SubmitWorkflow>(parts[0].message).first_index, 0U);
}

TEST_F(WorkflowUploadTest, RefusedWorkflowEndsTheCall) {
  connect();
  const CallId call = begin(workflow(3));
  const auto parts = sent<SubmitWorkflow>(turn());
  receive(received(0, Error{ErrorCode::cycle, "tasks[1]", "tasks[1].after"}),
          parts.at(0).correlation);
  const auto failed = delivered<delivery::Failed>(turn());
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].first.call, call);
  EXPECT_TRUE(failed[0].second.error.is(ErrorCode::cycle));
}

TEST_F(WorkflowUploadTest, BusyWorkflowStartsOverLaterWhateverItsOtherPartsWereTold) {
  connect();
  begin(workflow(600));
  const auto parts = sent<SubmitWorkflow>(turn());
  receive(received(0, Error{ErrorCode::busy, "", "", 400}), parts.at(0).correlation);
  receive(received(0, Error{ErrorCode::invalid, "does not follow", "first_index"}),
          parts.at(1).correlation);
  Effects effects = run_for(Millis(399));
  EXPECT_TRUE(effects.deliveries.empty());
  EXPECT_TRUE(effects.sends.empty());
  EXPECT_EQ(sent<SubmitWorkflow>(run_for(Millis(2))).size(), 3U);
}

TEST_F(WorkflowUploadTest, ATimeoutSaysWhatTheBrokerAnsweredMeanwhile) {
  connect();
  begin(workflow(1), Millis(1500));
  const auto parts = sent<SubmitWorkflow>(turn());
  receive(received(0, Error{ErrorCode::busy, "memory is full", "", 5000}), parts.at(0).correlation);
  const auto failed = delivered<delivery::Failed>(run_for(Millis(1501)));
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_NE(failed[0].second.error.text().find("BUSY: memory is full"), std::string::npos)
      << failed[0].second.error.text();
}

TEST_F(WorkflowUploadTest, WorkflowTimeoutSaysWhetherItMayHaveBeenAccepted) {
  connect();
  begin(workflow(3), Millis(100));
  turn();
  const auto failed = delivered<delivery::Failed>(run_for(Millis(101)));
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].second.error.failure, CallFailure::timed_out);
  EXPECT_NE(failed[0].second.error.text().find(WorkflowId(5, 5).to_string()), std::string::npos);
}

}  // namespace
}  // namespace taskpipe::client::testing
