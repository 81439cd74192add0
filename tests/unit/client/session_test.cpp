// Greeting, liveness, reconnects and refusals.
#include "tests/unit/client/session_harness.hpp"

namespace taskpipe::client::testing {
namespace {

using SessionTest = SessionHarness;

TEST_F(SessionTest, OpensNothingUntilTheFirstCall) {
  EXPECT_EQ(turn().socket, SocketChange::keep);
  EXPECT_FALSE(core_.next_deadline());
}

TEST_F(SessionTest, SpeaksOnlyWhenAsked) {
  const CallId call = begin(command::Connect{});
  Effects& opened = turn();
  EXPECT_EQ(opened.socket, SocketChange::open);
  EXPECT_TRUE(opened.sends.empty());
  Effects& ready = establish();
  const auto connected = delivered<delivery::Connected>(ready);
  ASSERT_EQ(connected.size(), 1U);
  EXPECT_EQ(connected[0].first.call, call);
  EXPECT_TRUE(connected[0].first.last);
  EXPECT_EQ(connected[0].second.welcome.session, session_);
}

TEST_F(SessionTest, UnreachableAfterTheConnectTimeoutNamesAddressAndRemedy) {
  const CallId call = wait({task_id(1)});  // no timeout of its own
  EXPECT_TRUE(run_for(Millis(4999)).deliveries.empty());
  const Effects effects = run_for(Millis(2));
  const auto failed = delivered<delivery::Failed>(effects);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].first.call, call);
  EXPECT_EQ(failed[0].second.error.failure, CallFailure::unreachable);
  EXPECT_NE(failed[0].second.error.text().find("tcp://broker:7610"), std::string::npos);
  EXPECT_NE(failed[0].second.error.text().find("taskpipe-broker"), std::string::npos);
}

TEST_F(SessionTest, ALaterCallTriesAFreshConnection) {
  begin(command::Connect{});
  run_for(Millis(6000));
  begin(command::Connect{});
  EXPECT_EQ(turn().socket, SocketChange::open);
  establish();
  EXPECT_TRUE(core_.link().ready());
}

TEST_F(SessionTest, RepeatsHelloThatStaysUnanswered) {
  begin(command::Connect{});
  turn();
  receive_in(SessionId{}, Who{epoch_});
  EXPECT_EQ(sent<Hello>(turn()).size(), 1U);
  const auto repeated = sent<Hello>(run_for(Millis(4000)));
  EXPECT_GE(repeated.size(), 1U);
  EXPECT_LE(repeated.size(), 3U);  // doubling
}

TEST_F(SessionTest, OneHelloAnswersABurstOfWho) {
  connect();
  for (int i = 0; i < 20; ++i) receive_in(SessionId{}, Who{Epoch{8}});
  const auto hellos = sent<Hello>(turn());
  ASSERT_EQ(hellos.size(), 1U);
  EXPECT_EQ(std::get<Hello>(hellos[0].message).last_epoch, epoch_);
  EXPECT_EQ(hellos[0].session, SessionId{});
}

TEST_F(SessionTest, PingsEachHeartbeat) {
  connect();
  std::size_t pings = 0;
  for (int i = 0; i < 5; ++i) {
    const Effects effects = run_for(Millis(kHeartbeat));
    for (const auto& ping : sent<Ping>(effects)) {
      ++pings;
      EXPECT_EQ(ping.session, session_);
      receive(Pong{std::get<Ping>(ping.message).t, epoch_}, ping.correlation);
    }
  }
  EXPECT_EQ(pings, 5U);
}

TEST_F(SessionTest, ReconnectsAfterALeaseOfSilence) {
  connect();
  EXPECT_EQ(run_for(Millis(kLease - 1)).socket, SocketChange::keep);
  EXPECT_EQ(run_for(Millis(2)).socket, SocketChange::open);
  EXPECT_FALSE(core_.link().ready());
}

TEST_F(SessionTest, PongOfAnotherSessionIsNoSignOfLife) {
  connect();
  run_for(Millis(kLease - 1));
  receive_in(SessionId{1}, Pong{1, epoch_});
  EXPECT_EQ(run_for(Millis(2)).socket, SocketChange::open);
}

TEST_F(SessionTest, VersionErrorFailsWhatIsOpenAndTheNextCallTriesAgain) {
  const CallId call = wait({task_id(1)});
  turn();
  receive_in(SessionId{}, Who{epoch_});
  const auto hello = sent<Hello>(turn());
  receive_in(SessionId{}, ErrorReply{Error{ErrorCode::version, "speaks 2 to 3", {}}},
             hello.at(0).correlation);
  Effects& effects = turn();
  EXPECT_EQ(effects.socket, SocketChange::close);
  const auto failed = delivered<delivery::Failed>(effects);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].first.call, call);
  EXPECT_TRUE(failed[0].second.error.is(ErrorCode::version));
  EXPECT_NE(failed[0].second.error.text().find("speaks 2 to 3"), std::string::npos);
  begin(command::Connect{});
  EXPECT_EQ(turn().socket, SocketChange::open);
}

TEST_F(SessionTest, AForeignMajorVersionIsAVersionError) {
  wait({task_id(1)});
  turn();
  core_.on_malformed(std::nullopt, Error{ErrorCode::version, "major version 2", {}}, now_, out_);
  const auto failed = delivered<delivery::Failed>(turn());
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_TRUE(failed[0].second.error.is(ErrorCode::version));
}

TEST_F(SessionTest, WelcomeWithAnUnknownVersionIsRefused) {
  wait({task_id(1)});
  turn();
  receive_in(SessionId{}, Who{epoch_});
  turn();
  Welcome w = welcome();
  w.version = 9;
  receive(w);
  const auto failed = delivered<delivery::Failed>(turn());
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_TRUE(failed[0].second.error.is(ErrorCode::version));
}

TEST_F(SessionTest, BusyBrokerIsGreetedLater) {
  begin(command::Connect{});
  turn();
  receive_in(SessionId{}, Who{epoch_});
  const auto hello = sent<Hello>(turn());
  receive_in(SessionId{}, ErrorReply{Error{ErrorCode::busy, "too many sessions", {}, 3000}},
             hello.at(0).correlation);
  EXPECT_TRUE(sent<Hello>(run_for(Millis(2999))).empty());
  EXPECT_EQ(sent<Hello>(run_for(Millis(2))).size(), 1U);
}

TEST_F(SessionTest, ByeOfAStoppingBrokerIsFollowedByANewConnection) {
  connect();
  const CallId call = wait({task_id(1)});
  turn();
  receive(Bye{"shutting down"});
  EXPECT_EQ(run_for(Millis(700)).socket, SocketChange::keep);
  EXPECT_EQ(run_for(Millis(600)).socket, SocketChange::open);
  const auto waits = sent<Wait>(establish());
  ASSERT_EQ(waits.size(), 1U);
  receive_done(1);
  const auto ended = delivered<delivery::TasksEnded>(turn());
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].first.call, call);
}

TEST_F(SessionTest, ByeReplacedIsFinal) {
  connect();
  const CallId open = wait({task_id(1)});
  turn();
  receive(Bye{"replaced"});
  const CallId late = wait({task_id(2)});
  Effects& effects = turn();
  EXPECT_EQ(effects.socket, SocketChange::close);
  const auto failed = delivered<delivery::Failed>(effects);
  ASSERT_EQ(failed.size(), 2U);
  EXPECT_EQ(failed[0].first.call, open);
  EXPECT_EQ(failed[1].first.call, late);
  EXPECT_EQ(failed[1].second.error.failure, CallFailure::closed);
}

TEST_F(SessionTest, OwnRepeatedHelloDoesNotReplaceUs) {
  begin(command::Connect{});
  turn();
  receive_in(SessionId{}, Who{epoch_});
  turn();
  ASSERT_GE(sent<Hello>(run_for(Millis(1500))).size(), 1U);
  receive(welcome());        // answers the first HELLO
  receive(Bye{"replaced"});  // by the second
  session_ = session_.next();
  receive_in(SessionId{}, Who{epoch_});
  turn();
  receive(welcome());
  turn();
  EXPECT_TRUE(core_.link().ready());
}

TEST_F(SessionTest, ForgottenSessionIsGreetedAnewAndRequestsAreAskedAgain) {
  connect();
  const CallId call = begin(command::Ask{HealthRequest{}});
  const auto asked = sent<HealthRequest>(turn());
  ASSERT_EQ(asked.size(), 1U);
  receive_in(session_, ErrorReply{Error{ErrorCode::not_registered, "who?", {}}},
             asked[0].correlation);
  EXPECT_EQ(sent<Hello>(turn()).size(), 1U);
  const SessionId old = session_;
  session_ = session_.next();
  receive(welcome());
  const auto again = sent<HealthRequest>(turn());
  ASSERT_EQ(again.size(), 1U);
  receive_in(old, HealthReply{}, again[0].correlation);  // a late answer of the old session
  EXPECT_TRUE(turn().deliveries.empty());
  receive(HealthReply{}, again[0].correlation);
  const auto answered = delivered<delivery::Answered>(turn());
  ASSERT_EQ(answered.size(), 1U);
  EXPECT_EQ(answered[0].first.call, call);
}

TEST_F(SessionTest, UnsendableMeansReconnect) {
  connect();
  core_.on_unsendable(now_, out_);
  EXPECT_EQ(turn().socket, SocketChange::open);
  core_.on_unsendable(now_, out_);  // while connecting there is nothing to lose
  EXPECT_EQ(turn().socket, SocketChange::keep);
}

TEST_F(SessionTest, CallsWaitThroughAnOutageUpToTheirOwnTimeout) {
  connect();
  core_.on_unsendable(now_, out_);
  turn();
  const CallId timed = begin(command::Ask{HealthRequest{}}, Millis(8000));
  const CallId patient = wait({task_id(1)});
  EXPECT_TRUE(run_for(Millis(7999)).deliveries.empty());
  const Effects effects = run_for(Millis(2));
  const auto failed = delivered<delivery::Failed>(effects);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].first.call, timed);
  EXPECT_EQ(failed[0].second.error.failure, CallFailure::timed_out);
  establish();
  receive_done(1);
  const auto ended = delivered<delivery::TasksEnded>(turn());
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].first.call, patient);
}

TEST_F(SessionTest, UnreadableAnswerFailsItsRequestOnly) {
  connect();
  const CallId broken = begin(command::Ask{ToolsRequest{}});
  begin(command::Ask{HealthRequest{}});
  const Effects effects = turn();
  const auto asked = sent<ToolsRequest>(effects);
  core_.on_malformed(Received{session_, asked.at(0).correlation},
                     Error{ErrorCode::malformed, "body ends early", "tools"}, now_, out_);
  const auto failed = delivered<delivery::Failed>(turn());
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].first.call, broken);
  EXPECT_TRUE(failed[0].second.error.is(ErrorCode::malformed));
}

TEST_F(SessionTest, AnswerOfAnotherKindFailsItsRequest) {
  connect();
  begin(command::Ask{ToolsRequest{}});
  const auto asked = sent<ToolsRequest>(turn());
  receive(HealthReply{}, asked.at(0).correlation);
  const auto failed = delivered<delivery::Failed>(turn());
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_TRUE(failed[0].second.error.is(ErrorCode::malformed));
}

TEST_F(SessionTest, AcknowledgementsThatAnnounceAnotherOneAreOneAnswer) {
  connect();
  begin(command::Ask{Cancel{}});
  const Correlation asked = sent<Cancel>(turn()).at(0).correlation;
  receive(CancelAck{{{task_id(1), ErrorCode::ok, true}}, true}, asked);
  EXPECT_TRUE(delivered<delivery::Answered>(turn()).empty());
  // Lost with the session: the next one begins anew.
  const Correlation again = sent<Cancel>(establish()).at(0).correlation;
  receive(CancelAck{{{task_id(1), ErrorCode::ok, false}}, true}, again);
  receive(CancelAck{{{task_id(2), ErrorCode::ok, true}}, false}, again);
  const auto answers = delivered<delivery::Answered>(turn());
  ASSERT_EQ(answers.size(), 1U);
  const auto& items = std::get<CancelAck>(answers[0].second.reply).items;
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].id, task_id(1));
  EXPECT_EQ(items[1].id, task_id(2));
}

Resubmit resubmit_of(std::uint64_t first, std::uint64_t last) {
  Resubmit request;
  for (std::uint64_t n = first; n <= last; ++n) {
    request.items.push_back({task_id(n), task_id(n + 100)});
  }
  return request;
}

// What was settled is not asked again, and the rest keeps its ids.
TEST_F(SessionTest, OnlyTheBusyItemsOfAResubmitAreAskedAgain) {
  connect();
  begin(command::Ask{resubmit_of(1, 3)});
  const auto first = sent<Resubmit>(turn());
  ASSERT_EQ(first.size(), 1U);
  receive(ResubmitAck{{{task_id(101), ErrorCode::ok},
                       {task_id(102), ErrorCode::busy},
                       {task_id(103), ErrorCode::unknown_task}},
                      Error{ErrorCode::busy, "the history lags", {}, 500}},
          first[0].correlation);
  EXPECT_TRUE(sent<Resubmit>(run_for(Millis(499))).empty());
  const auto second = sent<Resubmit>(run_for(Millis(2)));
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(std::get<Resubmit>(second[0].message), resubmit_of(2, 2));
  receive(ResubmitAck{{{task_id(102), ErrorCode::invalid}},
                      Error{ErrorCode::invalid, "task 2 has not ended", "original"}},
          second[0].correlation);
  const auto answers = delivered<delivery::Answered>(turn());
  ASSERT_EQ(answers.size(), 1U);
  const auto& ack = std::get<ResubmitAck>(answers[0].second.reply);
  EXPECT_EQ(ack.items, (std::vector<TaskCode>{{task_id(101), ErrorCode::ok},
                                              {task_id(103), ErrorCode::unknown_task},
                                              {task_id(102), ErrorCode::invalid}}));
  // It would be read as the text of task 3.
  EXPECT_FALSE(ack.error);
}

TEST_F(SessionTest, AResubmitIsAskedAgainInTheNextSessionUnderTheSameIds) {
  connect();
  begin(command::Ask{resubmit_of(1, 2)});
  const Correlation asked = sent<Resubmit>(turn()).at(0).correlation;
  receive(ResubmitAck{{{task_id(101), ErrorCode::ok}, {task_id(102), ErrorCode::shutting_down}},
                      Error{ErrorCode::shutting_down, "later", {}}},
          asked);
  const auto again = sent<Resubmit>(establish());
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(std::get<Resubmit>(again[0].message), resubmit_of(2, 2));
  receive(ResubmitAck{{{task_id(102), ErrorCode::ok}}, std::nullopt}, again[0].correlation);
  const auto answers = delivered<delivery::Answered>(turn());
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(std::get<ResubmitAck>(answers[0].second.reply).items.size(), 2U);
}

TEST_F(SessionTest, TooMuchGarbageEndsTheConnection) {
  connect();
  for (std::size_t i = 0; i < limits::kMaxMalformedPerSession; ++i) {
    core_.on_malformed(std::nullopt, Error{ErrorCode::malformed, "garbage", {}}, now_, out_);
  }
  EXPECT_EQ(turn().socket, SocketChange::keep);
  core_.on_malformed(std::nullopt, Error{ErrorCode::malformed, "garbage", {}}, now_, out_);
  EXPECT_EQ(turn().socket, SocketChange::open);
}

TEST_F(SessionTest, MessagesThatNoBrokerSendsAreHarmless) {
  connect();
  receive(Hello{});
  receive(Submit{});
  receive(Tasks{});
  receive(Done{});
  receive(SubmitAck{}, Correlation{99});
  receive(WorkflowAck{}, Correlation{99});
  receive(Chunk{}, Correlation{99});
  EXPECT_TRUE(turn().deliveries.empty());
  EXPECT_TRUE(core_.link().ready());
}

TEST_F(SessionTest, BusyRequestIsAskedAgainWhenToldTo) {
  connect();
  begin(command::Ask{Query{}});
  const auto asked = sent<Query>(turn());
  receive(ErrorReply{Error{ErrorCode::busy, "history lags", {}, 700}}, asked.at(0).correlation);
  EXPECT_TRUE(sent<Query>(run_for(Millis(699))).empty());
  EXPECT_EQ(sent<Query>(run_for(Millis(2))).size(), 1U);
}

TEST_F(SessionTest, CloseFailsEverythingAndEveryLaterCall) {
  connect();
  const CallId open = wait({task_id(1)});
  turn();
  core_.close(ClientError{CallFailure::closed, Error{ErrorCode::ok, "closed", {}}, {}}, out_);
  const CallId late = begin(command::Connect{});
  const Effects effects = turn();
  const auto failed = delivered<delivery::Failed>(effects);
  ASSERT_EQ(failed.size(), 2U);
  EXPECT_EQ(failed[0].first.call, open);
  EXPECT_EQ(failed[1].first.call, late);
  EXPECT_EQ(effects.socket, SocketChange::close);
}

}  // namespace
}  // namespace taskpipe::client::testing
