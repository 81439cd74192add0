#include "worker/exec/container_outcome.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <string>

#include "worker/exec/outcome.hpp"

namespace taskpipe::worker {
namespace {

constexpr auto kUnknown = ContainerStart::unknown;
constexpr auto kNever = ContainerStart::never;
constexpr auto kStarted = ContainerStart::started;

Outcome client_exited(int code, std::string_view runtime, ContainerStart started,
                      std::string_view words) {
  spawn_message::Exited end;
  end.wait_status = code << 8;
  EndFacts facts;
  facts.container = runtime;
  Outcome out = outcome_of(end, facts);
  judge_container(out, runtime, started, words);
  return out;
}

TEST(ContainerOutcome, AClientThatMadeNoContainerIsAnErrorWithItsWords) {
  const Outcome out = client_exited(125, "docker", kNever,
                                    "docker: Error response from daemon: No such image: x.\n"
                                    "See 'docker run --help'.\n");
  EXPECT_EQ(out.state, TaskState::error);
  EXPECT_EQ(out.failure, FailureClass::spawn);
  EXPECT_EQ(out.reason,
            "docker cannot run the tool's container (exit code 125): docker: Error response from "
            "daemon: No such image: x.");
}

TEST(ContainerOutcome, AProgramThatIsNotInTheImageIsAnErrorToo) {
  for (const auto* words : {"[FATAL tini (7)] exec heat failed: No such file or directory\n",
                            "ERROR (catatonit:6): failed to exec pid1: No such file\n"}) {
    EXPECT_EQ(client_exited(words[0] == '[' ? 127 : 1, "docker", kStarted, words).failure,
              FailureClass::spawn);
  }
}

TEST(ContainerOutcome, TheProgramsOwnCodesAreItsOwn) {
  for (const int code : {1, 125, 126, 127, 137}) {
    const Outcome out = client_exited(code, "docker", kStarted, "sh: heat: not found\n");
    EXPECT_EQ(out.failure, FailureClass::exit) << code;
    EXPECT_EQ(out.exit_code, code);
  }
  EXPECT_EQ(client_exited(3, "docker", kNever, "").failure, FailureClass::exit);
  EXPECT_EQ(client_exited(0, "docker", kNever, "docker: odd\n").state, TaskState::success);
}

TEST(ContainerOutcome, ApptainerIsToldByItsWords) {
  const auto* words = "mine\nFATAL:   could not open image\n";
  EXPECT_EQ(client_exited(255, "apptainer", kUnknown, words).failure, FailureClass::spawn);
  EXPECT_EQ(client_exited(1, "apptainer", kUnknown, words).failure, FailureClass::exit);
  EXPECT_EQ(client_exited(255, "apptainer", kUnknown, "mine\n").failure, FailureClass::exit);
  const auto coloured =
      client_exited(255, "apptainer", kUnknown, "\x1b[31mFATAL:  \x1b[0m no such user\n\x1b[3");
  EXPECT_EQ(coloured.failure, FailureClass::spawn);
  EXPECT_THAT(coloured.reason, testing::EndsWith("(exit code 255): FATAL:   no such user"));
}

TEST(ContainerOutcome, WhatWasAskedToEndStaysSo) {
  spawn_message::Exited end;
  end.wait_status = 125 << 8;
  EndFacts facts;
  facts.cause = EndCause::cancelled;
  Outcome out = outcome_of(end, facts);
  judge_container(out, "docker", kNever, "docker: killed\n");
  EXPECT_EQ(out.state, TaskState::cancelled);
}

TEST(ContainerOutcome, TheUsageOfDockersClientIsNotTheTools) {
  spawn_message::Exited end;
  end.wall_us = 1;
  end.user_us = end.system_us = end.max_rss_bytes = 2;
  EndFacts facts;
  facts.container = "docker";
  EXPECT_EQ(outcome_of(end, facts).usage, (Usage{1, 0, 0, 0}));
  facts.container = "podman";
  EXPECT_EQ(outcome_of(end, facts).usage, (Usage{1, 2, 2, 2}));
}

TEST(ContainerOutcome, AKilledProgramIsToldOfItsLimit) {
  spawn_message::Exited end;
  end.wait_status = 137 << 8;
  EndFacts facts;
  facts.container = "podman";
  facts.memory_limit_bytes = 64U << 20U;
  EXPECT_NE(outcome_of(end, facts).reason.find("perhaps for its memory limit of 64 MiB"),
            std::string::npos);
}

TEST(ContainerOutcome, WhereNobodyKnowsOnlyTheClientsOwnWordsCount) {
  for (const auto* words : {"docker: Error response from daemon: no\n", "Error: no image\n"}) {
    EXPECT_EQ(client_exited(125, "docker", kUnknown, words).failure, FailureClass::spawn) << words;
  }
  for (const auto* words : {"", "sh: heat: not found\n", "Error in line 3\n", "my docker: no\n"}) {
    EXPECT_EQ(client_exited(127, "docker", kUnknown, words).failure, FailureClass::exit) << words;
  }
  EXPECT_EQ(client_exited(3, "podman", kUnknown, "Error: mine\n").failure, FailureClass::exit);
}

TEST(ContainerOutcome, WhatIsLeftIsToldUnlessItSucceeded) {
  Outcome out;
  out.state = TaskState::cancelled;
  out.reason = "cancelled on request";
  tell_container_left(out, "box");
  EXPECT_EQ(out.reason, "cancelled on request; its container box could not be removed");
  out.reason.clear();
  tell_container_left(out, "box");
  EXPECT_EQ(out.reason, "its container box could not be removed");
  out = Outcome{};
  out.state = TaskState::success;
  tell_container_left(out, "box");
  EXPECT_EQ(out.reason, "");
}

}  // namespace
}  // namespace taskpipe::worker
