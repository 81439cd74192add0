#include "worker/exec/outcome.hpp"

#include <gmock/gmock.h>
#include <signal.h>

#include <cerrno>
#include <string>

namespace taskpipe::worker {
namespace {

using ::testing::HasSubstr;

constexpr int exited_with(int code) { return code << 8; }
constexpr int killed_by(int signal) { return signal; }

spawn_message::Exited ended(int wait_status) {
  spawn_message::Exited end;
  end.wait_status = wait_status;
  end.wall_us = 1;
  end.user_us = 2;
  end.system_us = 3;
  end.max_rss_bytes = 4;
  return end;
}

TEST(Outcome, ExitCodeZeroIsSuccess) {
  const Outcome out = outcome_of(ended(exited_with(0)), {});
  EXPECT_EQ(out.state, TaskState::success);
  EXPECT_EQ(out.failure, FailureClass::none);
  EXPECT_EQ(out.reason, "");
  EXPECT_EQ(out.usage, (Usage{1, 2, 3, 4}));
}

TEST(Outcome, NonZeroExitIsTheToolsFailure) {
  const Outcome out = outcome_of(ended(exited_with(3)), {});
  EXPECT_EQ(out.state, TaskState::failure);
  EXPECT_EQ(out.failure, FailureClass::exit);
  EXPECT_EQ(out.exit_code, 3);
  EXPECT_EQ(out.reason, "exited with code 3");
}

TEST(Outcome, NamesTheSignal) {
  const Outcome out = outcome_of(ended(killed_by(SIGSEGV)), {});
  EXPECT_EQ(out.failure, FailureClass::signal);
  EXPECT_EQ(out.signal, SIGSEGV);
  EXPECT_EQ(out.reason, "ended by SIGSEGV");
}

TEST(Outcome, NamesTheMemoryLimit) {
  auto end = ended(killed_by(SIGKILL));
  end.out_of_memory = true;
  EndFacts facts;
  facts.memory_limit_bytes = 64U << 20U;
  facts.memory_control = "cgroup v1 memory";
  const Outcome out = outcome_of(end, facts);
  EXPECT_EQ(out.failure, FailureClass::oom);
  EXPECT_EQ(out.signal, SIGKILL);
  EXPECT_EQ(out.reason, "killed for exceeding its memory limit of 64 MiB (cgroup v1 memory)");
}

TEST(Outcome, AShellThatReportsItsKilledChildIsOutOfMemoryToo) {
  auto end = ended(exited_with(137));
  end.out_of_memory = true;
  EXPECT_EQ(outcome_of(end, {}).failure, FailureClass::oom);
}

TEST(Outcome, AToolThatCopesWithAKilledHelperSucceeds) {
  auto end = ended(exited_with(0));
  end.out_of_memory = true;
  EXPECT_EQ(outcome_of(end, {}).state, TaskState::success);
}

TEST(Outcome, ExplainsWhatTheAddressSpaceLimitDoes) {
  EndFacts facts;
  facts.memory_limit_bytes = 1000;
  facts.memory_control = "RLIMIT_AS";
  const Outcome out = outcome_of(ended(exited_with(1)), facts);
  EXPECT_EQ(out.failure, FailureClass::exit);
  EXPECT_THAT(out.reason, HasSubstr("limited to 1000 B (RLIMIT_AS)"));
}

TEST(Outcome, ALimitThatFellIntoTheClearingUpCountsForNothing) {
  auto end = ended(exited_with(0));
  end.wall_us = 59'500'000;
  EndFacts facts;
  facts.time_limit = facts.silence_limit = Millis(60'000);
  facts.asked_after = Millis(60'000);
  for (const EndCause cause : {EndCause::time_limit, EndCause::silence}) {
    facts.cause = cause;
    EXPECT_EQ(outcome_of(end, facts).state, TaskState::success);
    end.wall_us = 60'100'000;
    EXPECT_EQ(outcome_of(end, facts).state, TaskState::timeout);
    end.wall_us = 59'500'000;
  }
  facts.cause = EndCause::cancelled;
  EXPECT_EQ(outcome_of(end, facts).state, TaskState::cancelled);
}

TEST(Outcome, ThatWeAskedOutweighsHowItEnded) {
  for (const int status : {exited_with(0), exited_with(1), killed_by(SIGTERM)}) {
    EndFacts facts;
    facts.cause = EndCause::time_limit;
    facts.time_limit = Millis(1500);
    Outcome out = outcome_of(ended(status), facts);
    EXPECT_EQ(out.state, TaskState::timeout);
    EXPECT_EQ(out.failure, FailureClass::timeout);
    EXPECT_EQ(out.reason, "exceeded its time limit of 1.5 s");
    facts.cause = EndCause::silence;
    facts.silence_limit = Millis(250);
    out = outcome_of(ended(status), facts);
    EXPECT_EQ(out.state, TaskState::timeout);
    EXPECT_EQ(out.failure, FailureClass::timeout);
    EXPECT_EQ(out.reason, "made no progress for 250 ms (no_progress)");
    facts.cause = EndCause::cancelled;
    out = outcome_of(ended(status), facts);
    EXPECT_EQ(out.state, TaskState::cancelled);
    EXPECT_EQ(out.failure, FailureClass::cancelled);
    facts.cause = EndCause::superseded;
    out = outcome_of(ended(status), facts);
    EXPECT_EQ(out.state, TaskState::cancelled);
    EXPECT_THAT(out.reason, HasSubstr("superseded"));
    facts.cause = EndCause::shutdown;
    EXPECT_EQ(outcome_of(ended(status), facts).failure, FailureClass::worker_lost);
  }
}

TEST(Outcome, ALostGuardIsReported) {
  auto end = ended(0);
  end.guard_lost = true;
  const Outcome out = outcome_of(end, {});
  EXPECT_EQ(out.state, TaskState::failure);
  EXPECT_EQ(out.failure, FailureClass::signal);
}

TEST(Outcome, MentionsWhatWasLeftBehind) {
  auto end = ended(exited_with(2));
  end.leftovers_killed = 1;
  EXPECT_THAT(outcome_of(end, {}).reason, HasSubstr("1 process it left behind"));
}

TEST(Outcome, ASpawnFailureNamesProgramErrorAndRemedy) {
  const spawn_message::SpawnFailed missing{1, SpawnStage::exec, ENOENT, "lmp"};
  const Outcome out = outcome_of(missing, {});
  EXPECT_EQ(out.state, TaskState::error);
  EXPECT_EQ(out.failure, FailureClass::spawn);
  EXPECT_EQ(out.reason,
            "cannot execute 'lmp': No such file or directory: is it installed and on PATH of the "
            "worker?");
  struct Row {
    SpawnStage stage;
    int error;
    const char* expected;
  };
  for (const Row& row : {Row{SpawnStage::exec, EACCES, "executable for the worker's user"},
                         Row{SpawnStage::exec, ENOEXEC, "#!/bin/sh"},
                         Row{SpawnStage::exec, E2BIG, "large params in a file"},
                         Row{SpawnStage::interpreter, ENOENT, "interpreter"},
                         Row{SpawnStage::directory, ENOENT, "cannot enter the folder"},
                         Row{SpawnStage::guard, EAGAIN, "too many processes"},
                         Row{SpawnStage::cgroup, EACCES, "write to its cgroup"},
                         Row{SpawnStage::output, EMFILE, "RLIMIT_NOFILE"},
                         Row{SpawnStage::limits, EPERM, "resource limits"}}) {
    EXPECT_THAT(outcome_of(spawn_message::SpawnFailed{1, row.stage, row.error, "x"}, {}).reason,
                HasSubstr(row.expected));
  }
}

TEST(Outcome, AReasonIsBounded) {
  const Outcome out = outcome_of(
      spawn_message::SpawnFailed{1, SpawnStage::exec, ENOENT, std::string(5000, '\xFF')}, {});
  EXPECT_LE(out.reason.size(), 1024U);
}

TEST(ShowBytes, ChoosesTheUnit) {
  EXPECT_EQ(show_bytes(0), "0 B");
  EXPECT_EQ(show_bytes(1023), "1023 B");
  EXPECT_EQ(show_bytes(64U << 20U), "64 MiB");
  EXPECT_EQ(show_bytes(3ULL << 29U), "1.5 GiB");
}

}  // namespace
}  // namespace taskpipe::worker
