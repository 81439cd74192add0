// Handshake, liveness, stale sessions, reconnects.
#include <gtest/gtest.h>

#include "tests/unit/worker_core/worker_fixture.hpp"

namespace taskpipe::worker::testing {
namespace {

TEST(WorkerSession, SaysWhatItIsAndGrantsCredit) {
  CoreOnDesk desk;
  EXPECT_EQ(describe(desk.end_turn()), "");  // waits for the spool
  desk.apply(command::SpoolLoaded{});
  EXPECT_EQ(describe(desk.end_turn()), "reset link\n");
  const Hello hello = desk.reconnect(7);
  EXPECT_EQ(hello.role, Role::worker);
  EXPECT_EQ(hello.uuid, PeerUuid(5, 6));
  EXPECT_EQ(hello.incarnation, 9U);
  EXPECT_EQ(hello.name, "node1");
  EXPECT_FALSE(hello.last_epoch);
  ASSERT_TRUE(hello.worker);
  EXPECT_EQ(hello.worker->slots, 4U);
  EXPECT_EQ(hello.worker->resources, test_config().resources);
  EXPECT_EQ(hello.worker->tools.size(), 4U);
  EXPECT_EQ(describe(desk.end_turn()), "s7 CREDIT 4096 33554432\n");
  EXPECT_EQ(describe(desk.end_turn()), "");
}

TEST(WorkerSession, TranscriptOfALostBroker) {
  CoreOnDesk desk;
  desk.establish(7);
  desk.send_tasks({key(1), key(2), key(3)}, spec("shell", 2));
  EXPECT_EQ(describe(desk.end_turn()), "start t1.1 shell\nstart t2.1 shell\n");
  desk.apply(command::AttemptStarted{key(1), 101});
  desk.apply(command::AttemptStarted{key(2), 102});
  EXPECT_EQ(describe(desk.end_turn()), "s7 STARTED t1.1:101 t2.1:102\n");

  // The connection breaks: what runs goes on, what waits is not begun.
  desk.apply(command::LinkUnwritable{});
  desk.end_attempt(key(1));
  EXPECT_EQ(describe(desk.end_turn()), "store t1.1\n");
  desk.apply(command::SpoolStored{key(1)});
  EXPECT_EQ(describe(desk.end_turn()), "");

  // A restarted broker: another epoch. t3 is forgotten, since it is not listed.
  desk.advance(Millis{1000});
  desk.receive_as(SessionId{}, Who{Epoch(4)});
  EXPECT_EQ(describe(desk.end_turn()),
            "s0 HELLO running=[t2.1] unacknowledged=[t1.1] last_epoch=3\n");
  Welcome welcome;
  welcome.session = SessionId(8);
  welcome.epoch = Epoch(4);
  welcome.heartbeat_ms = 2000;
  welcome.lease_ms = 30'000;
  desk.receive_as(SessionId(8), welcome, Correlation(2));
  EXPECT_EQ(describe(desk.end_turn()), "s8 CREDIT 4096 33554432\n");
  desk.receive_as(SessionId(8), Reconcile{{key(2)}, {}, {key(1)}, {}});
  EXPECT_EQ(describe(desk.end_turn()), "s8 RESULT t1.1:SUCCESS\n");
  desk.receive_as(SessionId(8), ResultAck{{{key(1), ErrorCode::ok}}});
  EXPECT_EQ(describe(desk.end_turn()), "drop t1.1\n");
  EXPECT_EQ(desk.core().running(), 1U);
  EXPECT_EQ(desk.core().queued(), 0U);
}

TEST(WorkerSession, ReconcileKillsAndDrops) {
  CoreOnDesk desk;
  desk.establish();
  desk.send_tasks({key(1), key(2)}, spec("shell", 2));
  (void)desk.end_turn();
  desk.end_attempt(key(1));
  desk.apply(command::SpoolStored{key(1)});
  (void)desk.end_turn();
  (void)desk.reconnect(8);
  desk.receive(Reconcile{{}, {key(2), key(77)}, {key(78)}, {key(1), key(79)}});
  EXPECT_EQ(describe(desk.end_turn()),
            "drop t1.1\nstop t2.1 cancelled 5000\ns8 CREDIT 4096 33554432\n");
  EXPECT_EQ(desk.core().unacknowledged(), 0U);
}

TEST(WorkerSession, ListsAResultThatIsStillBeingStored) {
  CoreOnDesk desk;
  desk.establish();
  desk.send_tasks({key(1)}, spec("shell"));
  (void)desk.end_turn();
  desk.end_attempt(key(1));
  const Hello hello = desk.reconnect(8);
  EXPECT_TRUE(hello.worker->running.empty());
  EXPECT_EQ(hello.worker->unacknowledged, (std::vector<AttemptKey>{key(1)}));
  desk.receive(Reconcile{{}, {}, {key(1)}, {}});
  EXPECT_TRUE(sent<Result>(desk.end_turn()).empty());
  desk.apply(command::SpoolStored{key(1)});
  EXPECT_EQ(sent<Result>(desk.end_turn()).size(), 1U);
}

TEST(WorkerSession, PingsAndGivesUpASilentBroker) {
  CoreOnDesk desk;
  desk.establish(7);
  for (int beat = 0; beat < 14; ++beat) {
    desk.advance(Millis{2000});
    EXPECT_EQ(describe(desk.end_turn()), "s7 PING\n");
  }
  desk.advance(Millis{2000});
  EXPECT_EQ(describe(desk.end_turn()), "reset link\n");
  EXPECT_FALSE(desk.core().connected());
}

TEST(WorkerSession, AnyValidTrafficCountsAsLife) {
  CoreOnDesk desk;
  desk.establish();
  for (int beat = 0; beat < 40; ++beat) {
    desk.advance(Millis{2000});
    if (beat % 10 == 9) desk.receive(ResultAck{});
    EXPECT_FALSE(desk.end_turn().reset_link);
  }
}

TEST(WorkerSession, MessagesOfAnotherSessionAreIgnored) {
  CoreOnDesk desk;
  desk.establish(7);
  Tasks tasks{{spec("noop")}, {{key(1), 0, {}, {}}}};
  desk.receive_as(SessionId(6), tasks, Correlation{1});
  desk.receive_as(SessionId(6), Bye{"replaced"});
  desk.receive_as(SessionId{}, tasks, Correlation{1});
  desk.advance(Millis{1000});
  EXPECT_EQ(describe(desk.end_turn()), "");
  EXPECT_TRUE(desk.core().connected());
  // Nor do they count as life.
  for (int beat = 0; beat < 30; ++beat) {
    desk.advance(Millis{1000});
    desk.receive_as(SessionId(6), Pong{});
    if (desk.end_turn().reset_link) return;
  }
  FAIL() << "a lease of silence passed unnoticed";
}

TEST(WorkerSession, AWelcomeThatAnswersAnEarlierHelloIsIgnored) {
  CoreOnDesk desk;
  desk.apply(command::SpoolLoaded{});
  desk.receive_as(SessionId{}, Who{Epoch(3)});
  (void)desk.end_turn();
  desk.advance(Millis{1000});
  desk.receive_as(SessionId{}, Who{Epoch(3)});
  EXPECT_EQ(sent<Hello>(desk.end_turn()).size(), 1U);
  Welcome welcome;
  welcome.session = SessionId(7);
  desk.receive_as(SessionId(7), welcome, Correlation(1));
  EXPECT_FALSE(desk.core().connected());
  desk.receive_as(SessionId(7), welcome, Correlation(2));
  EXPECT_TRUE(desk.core().connected());
  welcome.session = SessionId(8);
  desk.receive_as(SessionId(8), welcome, Correlation(2));
  EXPECT_EQ(sent<Credit>(desk.end_turn()).size(), 1U);
}

TEST(WorkerSession, TheBrokerForgotUs) {
  CoreOnDesk desk;
  desk.establish();
  desk.send_tasks({key(1)}, spec("shell"));
  (void)desk.end_turn();
  const Hello hello = desk.reconnect(8);
  EXPECT_EQ(hello.worker->running, (std::vector<AttemptKey>{key(1)}));
  EXPECT_EQ(hello.last_epoch, Epoch(3));
}

TEST(WorkerSession, ReplacedIsFinal) {
  CoreOnDesk desk;
  desk.establish();
  desk.receive(Bye{"replaced"});
  const Effects effects = desk.end_turn();
  ASSERT_TRUE(effects.exit);
  EXPECT_EQ(effects.exit->cause, ExitCause::replaced);
  EXPECT_NE(effects.exit->reason.find("--work-dir"), std::string::npos);
  EXPECT_TRUE(effects.sends.empty());
  desk.receive(Who{Epoch(3)});
  EXPECT_EQ(describe(desk.end_turn()), "");
  EXPECT_FALSE(desk.core().next_deadline());
}

TEST(WorkerSession, WhatWaitsIsForgottenAtTheEnd) {
  CoreOnDesk desk;
  desk.establish();
  desk.send_tasks({key(1), key(2)}, spec("noop", 4));
  desk.receive(Bye{"replaced"});
  desk.core().check_invariants();
  const Effects effects = desk.end_turn();
  EXPECT_TRUE(effects.exit);
  EXPECT_TRUE(effects.starts.empty());
}

TEST(WorkerSession, AnotherByeIsNot) {
  CoreOnDesk desk;
  desk.establish();
  desk.send_tasks({key(1)}, spec("shell"));
  (void)desk.end_turn();
  desk.receive(Bye{"shutting down"});
  EXPECT_EQ(describe(desk.end_turn()), "");
  EXPECT_FALSE(desk.core().connected());
  EXPECT_EQ(desk.core().running(), 1U);
  EXPECT_EQ(desk.reconnect(8).worker->running.size(), 1U);
}

TEST(WorkerSession, NoVersionInCommonIsFinal) {
  CoreOnDesk desk;
  desk.apply(command::SpoolLoaded{});
  desk.receive_as(SessionId{}, Who{Epoch(3)});
  (void)desk.end_turn();
  desk.receive_as(SessionId{}, ErrorReply{{ErrorCode::version, "speaks 2 to 3", "version_max"}});
  const Effects effects = desk.end_turn();
  ASSERT_TRUE(effects.exit);
  EXPECT_EQ(effects.exit->cause, ExitCause::refused);
}

TEST(WorkerSession, AnUnknownMajorVersionIsFinalBeforeTheSessionAlone) {
  CoreOnDesk desk;
  desk.apply(command::SpoolLoaded{});
  desk.establish();
  const command::MalformedReceived other{
      {ErrorCode::version, "header speaks protocol 2", "header"}};
  desk.apply(other);
  EXPECT_FALSE(desk.end_turn().exit);
  CoreOnDesk stranger;
  stranger.apply(command::SpoolLoaded{});
  stranger.apply(other);
  const Effects effects = stranger.end_turn();
  ASSERT_TRUE(effects.exit);
  EXPECT_EQ(effects.exit->cause, ExitCause::refused);
}

TEST(WorkerSession, AWelcomeInAVersionThatWasNotOfferedIsFinal) {
  CoreOnDesk desk;
  desk.apply(command::SpoolLoaded{});
  desk.receive_as(SessionId{}, Who{Epoch(3)});
  const Effects hello = desk.end_turn();
  ASSERT_EQ(hello.sends.size(), 1U);
  Welcome welcome;
  welcome.version = kProtocolVersionMax + 1;
  desk.receive_as(SessionId{}, welcome, hello.sends[0].correlation);
  const Effects effects = desk.end_turn();
  ASSERT_TRUE(effects.exit);
  EXPECT_EQ(effects.exit->cause, ExitCause::refused);
}

TEST(WorkerSession, ABusyBrokerIsAskedAgainLater) {
  CoreOnDesk desk;
  desk.apply(command::SpoolLoaded{});
  desk.receive_as(SessionId{}, Who{Epoch(3)});
  (void)desk.end_turn();
  Error busy{ErrorCode::busy, "too many sessions", ""};
  busy.retry_ms = 12'000;
  desk.receive_as(SessionId{}, ErrorReply{busy});
  EXPECT_FALSE(desk.end_turn().exit);
  EXPECT_GE(*desk.core().next_deadline(), desk.now().monotonic + Millis{12'000});
  desk.advance(Millis{16'000});
  EXPECT_TRUE(desk.end_turn().reset_link);
}

TEST(WorkerSession, ErrorsWithinASessionAreNotedAndNotFollowed) {
  CoreOnDesk desk;
  desk.establish();
  desk.receive(ErrorReply{{ErrorCode::malformed, "items[3]: …", "items"}});
  const Effects effects = desk.end_turn();
  EXPECT_TRUE(desk.core().connected());
  ASSERT_EQ(effects.notes.size(), 1U);
  EXPECT_EQ(effects.notes[0].level, NoteLevel::warning);
  desk.receive(ErrorReply{{ErrorCode::not_registered, "say HELLO", ""}});
  desk.advance(Millis{1000});
  EXPECT_EQ(sent<Hello>(desk.end_turn()).size(), 1U);
}

TEST(WorkerSession, UnreadableMessagesEndTheSession) {
  CoreOnDesk desk;
  desk.establish();
  for (std::size_t i = 1; i < limits::kMaxMalformedPerSession; ++i) {
    desk.apply(command::MalformedReceived{{ErrorCode::malformed, "trailing bytes", "body"}});
  }
  EXPECT_TRUE(desk.core().connected());
  desk.apply(command::MalformedReceived{{ErrorCode::malformed, "trailing bytes", "body"}});
  EXPECT_FALSE(desk.core().connected());
  desk.advance(Millis{limits::kLinkPatienceMs * 5 / 4});
  EXPECT_TRUE(desk.end_turn().reset_link);
}

TEST(WorkerSession, MessagesForClientsAreIgnored) {
  CoreOnDesk desk;
  desk.establish();
  desk.receive(SubmitAck{});
  desk.receive(Hello{});
  desk.receive(Events{});
  const Effects effects = desk.end_turn();
  EXPECT_EQ(describe(effects), "");
  EXPECT_EQ(effects.notes.size(), 3U);
}

TEST(WorkerSession, HelloListsNoMoreThanItMay) {
  CoreOnDesk desk;
  command::SpoolLoaded loaded;
  for (std::uint64_t i = 0; i < limits::kMaxHelloAttempts + 10; ++i) {
    loaded.results.push_back({key(i), success()});
  }
  desk.apply(loaded);
  (void)desk.end_turn();
  const Hello hello = desk.reconnect(7);
  EXPECT_EQ(hello.worker->unacknowledged.size(), limits::kMaxHelloAttempts);
  // With so much to deliver, nothing new is begun.
  desk.send_tasks({key(1'000'000)}, spec("noop"));
  EXPECT_TRUE(desk.end_turn().starts.empty());
  desk.receive(ResultAck{{{key(0), ErrorCode::ok}}});
  EXPECT_EQ(desk.end_turn().starts.size(), 1U);
}

}  // namespace
}  // namespace taskpipe::worker::testing
