// Credit, resources, order, refusal, cancel, recall, progress and logs.
#include <gtest/gtest.h>

#include "tests/unit/worker_core/worker_fixture.hpp"

namespace taskpipe::worker::testing {
namespace {

using Keys = std::vector<AttemptKey>;

Keys keys(std::uint64_t from, std::uint64_t to) {
  Keys made;
  for (std::uint64_t i = from; i < to; ++i) made.push_back(key(i));
  return made;
}

TEST(WorkerWork, StartsWhatFits) {
  CoreOnDesk desk;
  desk.establish();
  desk.send_tasks(keys(1, 7), spec("shell"));
  EXPECT_EQ(started_keys(desk.end_turn()), keys(1, 5));
  EXPECT_EQ(desk.core().queued(), 2U);
  desk.end_attempt(key(2));
  EXPECT_EQ(started_keys(desk.end_turn()), keys(5, 6));
}

TEST(WorkerWork, CountsEveryResource) {
  CoreOnDesk desk;
  desk.establish();
  TaskSpec gpu = *spec("shell");
  gpu.resources.gpus = 1;
  TaskSpec memory = *spec("shell");
  memory.resources.memory_bytes = 700ULL << 20U;
  TaskSpec license = *spec("shell");
  license.resources.named = {{"license", 2}};
  std::uint64_t number = 1;
  for (const TaskSpec& need : {gpu, memory, license}) {
    desk.send_tasks({key(number), key(number + 1)}, std::make_shared<const TaskSpec>(need));
    EXPECT_EQ(started_keys(desk.end_turn()), Keys{key(number)});
    desk.end_attempt(key(number));
    EXPECT_EQ(started_keys(desk.end_turn()), Keys{key(number + 1)});
    desk.end_attempt(key(number + 1));
    number += 2;
  }
}

TEST(WorkerWork, SlotsBoundAttemptsThatNeedLittle) {
  WorkerConfig config = test_config();
  config.slots = 2;
  CoreOnDesk desk(config);
  desk.establish();
  desk.send_tasks(keys(1, 4), spec("shell"));
  EXPECT_EQ(desk.end_turn().starts.size(), 2U);
}

TEST(WorkerWork, PriorityFirstThenArrivalAndNoOvertaking) {
  CoreOnDesk desk;
  desk.establish();
  desk.send_tasks({key(1)}, spec("shell", 3));
  EXPECT_EQ(started_keys(desk.end_turn()), Keys{key(1)});
  desk.send_tasks({key(2)}, spec("shell", 1));
  desk.send_tasks({key(3)}, spec("shell", 4));
  desk.send_tasks({key(4)}, spec("shell", 1, /*priority=*/5));
  desk.send_tasks({key(5)}, spec("noop"));
  EXPECT_EQ(started_keys(desk.end_turn()), Keys{key(4)});
  desk.end_attempt(key(4));
  EXPECT_EQ(started_keys(desk.end_turn()), Keys{key(2)});
  // key(3) needs all cpus: key(5) would fit, but would starve it.
  desk.end_attempt(key(2));
  EXPECT_TRUE(desk.end_turn().starts.empty());
  desk.end_attempt(key(1));
  EXPECT_EQ(started_keys(desk.end_turn()), (Keys{key(3), key(5)}));
}

TEST(WorkerWork, HandlerTasksAreBoundedByThePoolAlone) {
  CoreOnDesk desk;
  desk.establish();
  desk.send_tasks({key(1)}, spec("shell", 4));
  desk.send_tasks(keys(2, 2000), spec("noop"));
  const Effects effects = desk.end_turn();
  EXPECT_EQ(effects.starts.size(), 1 + limits::kHandlerPoolDepth);
  EXPECT_EQ(effects.starts[1].kind, AttemptKind::handler);
  TaskSpec heavy = *spec("heavy", 2);
  desk.send_tasks({key(5000)}, std::make_shared<const TaskSpec>(heavy));
  for (const Start& start : effects.starts) {
    if (start.kind == AttemptKind::handler) desk.end_attempt(start.attempt);
  }
  // The rest of the noops, and not the heavy one: all cpus are taken.
  EXPECT_EQ(desk.end_turn().starts.size(), 1998 - limits::kHandlerPoolDepth);
  desk.end_attempt(key(1));
  EXPECT_EQ(started_keys(desk.end_turn()), Keys{key(5000)});
}

TEST(WorkerWork, CreditFollowsWhatLeftTheQueue) {
  WorkerConfig config = test_config();
  config.window_tasks = 16;
  config.window_bytes = 1600;
  CoreOnDesk desk(config);
  desk.establish();  // granted 16 and 1600
  desk.send_tasks(keys(1, 17), spec("shell"), std::string(50, 'p'));
  Credit credit = sent<Credit>(desk.end_turn()).at(0);
  EXPECT_EQ(credit.slots_total, 20U);  // four have started
  EXPECT_EQ(credit.bytes_total, 1800U);
  desk.send_tasks(keys(17, 21), spec("fluent"), std::string(10, 'p'));  // refused
  credit = sent<Credit>(desk.end_turn()).at(0);
  EXPECT_EQ(credit.slots_total, 24U);
  EXPECT_EQ(credit.bytes_total, 1840U);
  desk.receive(Kill{{{key(16), 0}}});  // cancelled while queued
  desk.receive(Recall{{key(15)}});     // given back
  credit = sent<Credit>(desk.end_turn()).at(0);
  EXPECT_EQ(credit.slots_total, 26U);
  EXPECT_EQ(credit.bytes_total, 1940U);
  // A new session counts from nothing.
  (void)desk.reconnect(8);
  credit = sent<Credit>(desk.end_turn()).at(0);
  EXPECT_EQ(credit.slots_total, 16U);
  EXPECT_EQ(credit.bytes_total, 1600U);
}

TEST(WorkerWork, InlineScriptsCountAgainstTheCredit) {
  WorkerConfig config = test_config();
  config.window_bytes = 1600;
  CoreOnDesk desk(config);
  desk.establish();
  TaskSpec travelling = *spec("shell");
  travelling.script = "mine.sh";
  travelling.inline_script = Payload(std::string(500, 's'));
  desk.send_tasks({key(1)}, std::make_shared<const TaskSpec>(travelling), std::string(50, 'p'));
  EXPECT_EQ(sent<Credit>(desk.end_turn()).at(0).bytes_total, 1600U + 550U);
}

TEST(WorkerWork, ASixteenthOfTheWindowIsWorthAMessage) {
  CoreOnDesk desk;
  desk.establish();
  const std::uint64_t share = limits::kWorkerWindowTasks / 16;
  desk.send_tasks(keys(1, share), spec("noop"));
  EXPECT_TRUE(sent<Credit>(desk.end_turn()).empty());
  desk.send_tasks({key(share)}, spec("noop"));
  const auto credits = sent<Credit>(desk.end_turn());
  ASSERT_EQ(credits.size(), 1U);
  EXPECT_EQ(credits[0].slots_total, limits::kWorkerWindowTasks + share);
}

TEST(WorkerWork, WhatExceedsTheGrantIsGivenBack) {
  WorkerConfig config = test_config();
  config.window_tasks = 4;
  CoreOnDesk desk(config);
  desk.establish();
  desk.send_tasks(keys(1, 8), spec("shell", 4));
  const auto returned = sent<Returned>(desk.end_turn());
  ASSERT_EQ(returned.size(), 1U);
  EXPECT_EQ(returned[0].attempts, keys(5, 8));
}

TEST(WorkerWork, RepetitionsAreHarmless) {
  CoreOnDesk desk;
  desk.establish();
  desk.send_tasks({key(1), key(1)}, spec("shell"));
  desk.send_tasks({key(1)}, spec("shell"));
  EXPECT_EQ(desk.end_turn().starts.size(), 1U);
  desk.send_tasks({key(1)}, spec("shell"));
  EXPECT_EQ(describe(desk.end_turn()), "");
  desk.end_attempt(key(1));
  desk.send_tasks({key(1)}, spec("shell"));
  desk.end_attempt(key(1));
  EXPECT_EQ(describe(desk.end_turn()), "store t1.1\n");
}

TEST(WorkerWork, TasksThatComeTwiceRunOnce) {
  CoreOnDesk desk;
  desk.establish();
  const Tasks tasks{{spec("shell")}, {{key(1), 0, {}, {}}}};
  desk.receive(tasks, Correlation{1});
  EXPECT_EQ(describe(desk.end_turn()), "start t1.1 shell\n");
  desk.end_attempt(key(1));
  (void)desk.end_turn();
  desk.apply(command::SpoolStored{key(1), true});
  (void)desk.end_turn();
  desk.receive(ResultAck{{{key(1), ErrorCode::ok}}});
  EXPECT_EQ(describe(desk.end_turn()), "drop t1.1\n");
  // Nothing is left of the attempt here, and it must not run again.
  desk.receive(tasks, Correlation{1});
  EXPECT_EQ(describe(desk.end_turn()), "");
}

TEST(WorkerWork, TasksWithoutANumberAreTaken) {
  CoreOnDesk desk;
  desk.establish();
  desk.receive(Tasks{{spec("shell")}, {{key(1), 0, {}, {}}}}, Correlation{});
  EXPECT_EQ(describe(desk.end_turn()), "start t1.1 shell\n");
}

TEST(WorkerWork, RegistersAgainWhenTasksWereLost) {
  CoreOnDesk desk;
  desk.establish();
  desk.advance(Millis{limits::kHelloIntervalMs});
  desk.receive(Tasks{{spec("shell")}, {{key(2), 0, {}, {}}}}, Correlation{2});
  const Effects effects = desk.end_turn();
  EXPECT_TRUE(effects.starts.empty());
  EXPECT_EQ(sent<Hello>(effects).size(), 1U);
}

TEST(WorkerWork, RefusesWhatItCannotRun) {
  CoreOnDesk desk;
  desk.establish();
  Tasks tasks;
  tasks.specs = {spec("fluent"), spec("solver"), spec("shell", 64), spec("shell")};
  tasks.items = {{key(1), 0, {}, {}}, {key(2), 1, {}, {}},
                 {key(3), 2, {}, {}}, {key(4), 3, {{PeerUuid(1, 1)}}, {}},
                 {key(5), 3, {}, {}}, {key(6), 9, {}, {}}};
  desk.send_tasks(tasks);
  EXPECT_EQ(describe(desk.end_turn()),
            "start t5.1 shell\n"
            "s7 TASKS_ACK t1.1:INVALID:tool t2.1:INVALID:script t3.1:UNSATISFIABLE:cpus "
            "t4.1:INVALID:placements\n");
}

TEST(WorkerWork, CancelBeforeAndWhileRunning) {
  CoreOnDesk desk;
  desk.establish();
  TaskSpec patient = *spec("shell", 4);
  patient.limits.grace_ms = 700;
  desk.send_tasks(keys(1, 3), std::make_shared<const TaskSpec>(patient));
  (void)desk.end_turn();
  desk.receive(Kill{{{key(1), 0}, {key(2), 0}, {key(99), 0}}});
  const Effects effects = desk.end_turn();
  EXPECT_EQ(describe(effects), "stop t1.1 cancelled 700\ns7 RESULT t2.1:REVOKED\n");
  EXPECT_EQ(sent<Result>(effects)[0].items[0].outcome.failure, FailureClass::cancelled);
  desk.receive(Kill{{{key(1), 4'000'000'000U}}});
  EXPECT_EQ(describe(desk.end_turn()), "stop t1.1 cancelled 3600000\n");
  Outcome cancelled;
  cancelled.state = TaskState::cancelled;
  cancelled.failure = FailureClass::cancelled;
  desk.end_attempt(key(1), cancelled);
  desk.apply(command::SpoolStored{key(1)});
  EXPECT_EQ(describe(desk.end_turn()), "store t1.1\ns7 RESULT t1.1:REVOKED\n");
}

TEST(WorkerWork, RecallGivesBackWhatHasNotStarted) {
  CoreOnDesk desk;
  desk.establish();
  desk.send_tasks(keys(1, 4), spec("shell", 4));
  (void)desk.end_turn();
  desk.receive(Recall{{key(1), key(3), key(77)}}, Correlation(55));
  Effects effects = desk.end_turn();
  EXPECT_EQ(describe(effects), "s7 RETURNED [t3.1]\n");
  EXPECT_EQ(effects.sends[0].correlation, Correlation(55));
  desk.receive(Recall{{key(1)}}, Correlation(56));
  EXPECT_EQ(describe(desk.end_turn()), "s7 RETURNED []\n");
  desk.end_attempt(key(1));
  EXPECT_EQ(started_keys(desk.end_turn()), Keys{key(2)});
}

TEST(WorkerWork, ManyRecallsBehindAWaitingTaskDoNotPileUp) {
  CoreOnDesk desk;
  desk.establish();
  desk.send_tasks({key(1), key(2)}, spec("shell", 4));
  (void)desk.end_turn();
  for (std::uint64_t round = 1; round < 40; ++round) {
    const Keys batch = keys(round * 1000, round * 1000 + 256);
    desk.send_tasks(batch, spec("shell"));
    desk.receive(Recall{batch});
    EXPECT_EQ(desk.core().queued(), 1U);
    (void)desk.end_turn();
  }
  desk.end_attempt(key(1));
  EXPECT_EQ(started_keys(desk.end_turn()), Keys{key(2)});
}

TEST(WorkerWork, StartedLeavesAtOnceForProcessesAndLateForHandlers) {
  CoreOnDesk desk;
  desk.establish();
  desk.send_tasks({key(1), key(4)}, spec("shell"));
  desk.send_tasks({key(2), key(3)}, spec("noop"));
  (void)desk.end_turn();
  desk.apply(command::AttemptStarted{key(1), 11});
  desk.apply(command::AttemptStarted{key(2), 0});
  desk.apply(command::AttemptStarted{key(3), 0});
  desk.apply(command::AttemptStarted{key(4), 12});
  desk.apply(command::AttemptStarted{key(99), 0});
  desk.end_attempt(key(2));
  desk.end_attempt(key(4));
  EXPECT_EQ(describe(desk.end_turn()),
            "store t4.1\ns7 STARTED t1.1:11 t3.1:0 t4.1:12\ns7 RESULT t2.1:SUCCESS\n");
}

TEST(WorkerWork, ProgressAndLogsOfRunningAttempts) {
  CoreOnDesk desk;
  desk.establish();
  desk.send_tasks({key(1)}, spec("shell"));
  (void)desk.end_turn();
  desk.apply(command::AttemptProgressed{key(1), {10, "step 1", {}}});
  desk.apply(command::AttemptProgressed{key(1), {20, "", {}}});
  desk.apply(command::AttemptProgressed{key(9), {20, "", {}}});
  desk.apply(command::AttemptOutput{key(1), LogStream::out, 0, Payload(std::string_view("abc"))});
  desk.apply(command::AttemptOutput{key(9), LogStream::out, 0, Payload(std::string_view("abc"))});
  EXPECT_EQ(describe(desk.end_turn()), "s7 PROGRESS t1.1:20:step 1\ns7 LOG t1.1@0+3\n");
  desk.apply(command::AttemptProgressed{key(1), {30, "", {}}});
  EXPECT_EQ(describe(desk.end_turn()), "");
  EXPECT_EQ(desk.core().next_deadline(),
            desk.now().monotonic + Millis{limits::kProgressIntervalMs});
  desk.advance(Millis{limits::kProgressIntervalMs});
  EXPECT_EQ(describe(desk.end_turn()), "s7 PROGRESS t1.1:30:step 1\n");
}

TEST(WorkerWork, LogsOfALostLinkLeaveAGap) {
  CoreOnDesk desk;
  desk.establish();
  desk.send_tasks({key(1)}, spec("shell"));
  (void)desk.end_turn();
  desk.apply(command::LinkUnwritable{});
  desk.apply(command::AttemptOutput{key(1), LogStream::out, 0, Payload(std::string_view("lost"))});
  EXPECT_EQ(describe(desk.end_turn()), "");
  (void)desk.reconnect(8);
  (void)desk.end_turn();
  desk.apply(command::AttemptOutput{key(1), LogStream::out, 4, Payload(std::string_view("seen"))});
  EXPECT_EQ(describe(desk.end_turn()), "s8 LOG t1.1@4+4\n");
}

TEST(WorkerWork, MuchOutputAsksForAPongEarly) {
  CoreOnDesk desk;
  desk.establish();
  desk.send_tasks({key(1)}, spec("shell"));
  (void)desk.end_turn();
  const Payload chunk{std::string(64U << 10U, 'x')};
  for (std::uint64_t i = 0; i < 200; ++i) {
    desk.apply(command::AttemptOutput{key(1), LogStream::out, i * chunk.size(), chunk});
  }
  Effects effects = desk.end_turn();
  std::uint64_t bytes = 0;
  for (const Log& log : sent<Log>(effects)) {
    for (const LogItem& item : log.items) bytes += item.data.size();
  }
  EXPECT_EQ(bytes, limits::kMaxLogBytesInFlight);
  const auto pings = sent<Ping>(effects);
  ASSERT_EQ(pings.size(), 1U);
  desk.apply(command::AttemptOutput{key(1), LogStream::out, 0, chunk});
  EXPECT_TRUE(sent<Log>(desk.end_turn()).empty());
  desk.receive(Pong{pings[0].t, Epoch(3)});
  desk.apply(command::AttemptOutput{key(1), LogStream::out, 0, chunk});
  EXPECT_EQ(sent<Log>(desk.end_turn()).size(), 1U);
}

// It may come in the same turn as the task, before that is started: its output is still to come.
TEST(WorkerWork, FetchOfAWaitingTaskIsNotOfAnUnknownOne) {
  CoreOnDesk desk;
  desk.establish(7);
  desk.send_tasks({key(1)}, spec("shell"));
  desk.receive(Fetch{key(1).task, LogStream::out, 0, 0, false}, Correlation(31));
  const Effects effects = desk.end_turn();
  ASSERT_EQ(effects.log_reads.size(), 1U);
  EXPECT_TRUE(effects.log_reads[0].held);
}

TEST(WorkerWork, FetchIsReadByTheShellAndAnsweredInTheSameSession) {
  CoreOnDesk desk;
  desk.establish(7);
  desk.send_tasks({key(1)}, spec("shell"));
  (void)desk.end_turn();
  desk.receive(Fetch{key(1).task, LogStream::err, 10, 20, false}, Correlation(31));
  desk.receive(Fetch{key(2).task, LogStream::out, 0, 0, false}, Correlation(32));
  const Effects effects = desk.end_turn();
  ASSERT_EQ(effects.log_reads.size(), 2U);
  EXPECT_TRUE(effects.log_reads[0].held);
  EXPECT_FALSE(effects.log_reads[1].held);
  EXPECT_EQ(effects.log_reads[0].fetch.offset, 10U);
  Chunk chunk;
  chunk.task = key(1).task;
  desk.apply(command::LogRead{SessionId(7), Correlation(31), chunk});
  desk.apply(
      command::LogRead{SessionId(7), Correlation(32), Error{ErrorCode::unknown_task, "", ""}});
  desk.apply(command::LogRead{SessionId(6), Correlation(30), chunk});
  const Effects answers = desk.end_turn();
  ASSERT_EQ(answers.sends.size(), 2U);
  EXPECT_EQ(answers.sends[0].correlation, Correlation(31));
  EXPECT_EQ(answers.sends[0].message, Message(chunk));
  EXPECT_EQ(answers.sends[1].correlation, Correlation(32));
  EXPECT_TRUE(std::holds_alternative<ErrorReply>(answers.sends[1].message));
}

}  // namespace
}  // namespace taskpipe::worker::testing
