// That the checker sees what it is there to see: one broken promise at a time.
#include "tests/simulation/checker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskpipe::simulation {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const TaskId kTask(1, 1);
const TaskId kLater(1, 2);
constexpr std::uint32_t kMostLosses = 3;

AttemptKey attempt(std::uint32_t number, const TaskId& task = kTask, std::uint64_t epoch = 1) {
  return {task, Epoch(epoch), Attempt(number)};
}

class CheckerTest : public ::testing::Test {
 protected:
  template <class F>
  void add(F fact) {
    time_ = time_ + std::chrono::seconds(1);
    ledger_.push_back({time_, std::move(fact)});
  }
  void submit(const TaskId& task = kTask, std::vector<TaskId> after = {}, bool cancel = false) {
    add(fact::Submitted{task, std::move(after), cancel, terms_});
    add(fact::Acknowledged{task});
  }
  void run(const AttemptKey& key, TaskState state = TaskState::success) {
    add(fact::Began{key, 1});
    add(fact::Ran{key, state, "report"});
  }
  void end(const AttemptKey& key, TaskState state = TaskState::success,
           const std::string& report = "report") {
    add(fact::EndSeen{key.task, key, state, FailureClass::none, report});
  }
  std::vector<std::string> verdict(bool calm = false, bool poison = false) {
    return check(ledger_, {std::chrono::seconds(10), kMostLosses, calm, poison});
  }
  void kill(const AttemptKey& key) {
    add(fact::Began{key, 1});
    add(fact::Killed{key});
    add(fact::NodeDied{1});
  }
  void end_lost(const AttemptKey& key) {
    add(fact::EndSeen{key.task, key, TaskState::error, FailureClass::worker_lost, ""});
  }

  Ledger ledger_;
  MonotonicTime time_;
  fact::Terms terms_;  // of what is submitted next
};

TEST_F(CheckerTest, AGoodLifeIsGood) {
  submit();
  run(attempt(1));
  end(attempt(1));
  end(attempt(1));
  submit(kLater, {kTask});
  run(attempt(1, kLater));
  end(attempt(1, kLater));
  EXPECT_THAT(verdict(), IsEmpty());
}

TEST_F(CheckerTest, AFailureThatIsTriedAgainIsGood) {
  terms_.max_attempts = 3;
  terms_.backoff = terms_.max_backoff = std::chrono::seconds(1);
  submit();
  run(attempt(1), TaskState::failure);
  run(attempt(2), TaskState::failure);
  run(attempt(3), TaskState::failure);
  end(attempt(3), TaskState::failure);
  EXPECT_THAT(verdict(true), IsEmpty());
}

TEST_F(CheckerTest, SeesATaskThatGivesUpTooEarly) {
  terms_.max_attempts = 3;
  submit();
  run(attempt(1), TaskState::failure);
  run(attempt(2), TaskState::failure);
  end(attempt(2), TaskState::failure);
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("after 2 of 3 attempts")));
}

TEST_F(CheckerTest, SeesATaskThatIsTriedTooOften) {
  terms_.max_attempts = 2;
  submit();
  for (std::uint32_t i = 1; i <= 3; ++i) run(attempt(i), TaskState::failure);
  end(attempt(3), TaskState::failure);
  EXPECT_THAT(verdict(true), ElementsAre(HasSubstr("more often than it may")));
}

TEST_F(CheckerTest, SeesAnAttemptThatDoesNotWait) {
  terms_.max_attempts = 2;
  terms_.backoff = terms_.max_backoff = std::chrono::seconds(3);
  submit();
  run(attempt(1), TaskState::failure);
  run(attempt(2));  // a second later
  end(attempt(2));
  EXPECT_THAT(verdict(true), ElementsAre(HasSubstr("before its backoff was over")));
}

TEST_F(CheckerTest, SeesATaskThatWasNotGivenItsQueueTime) {
  terms_.queue_time = std::chrono::seconds(5);
  submit();
  end(attempt(0), TaskState::timeout);
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("queue time")));
}

TEST_F(CheckerTest, AllowsATaskToWaitNoLonger) {
  terms_.queue_time = std::chrono::seconds(2);
  submit();
  end(attempt(0), TaskState::timeout);
  EXPECT_THAT(verdict(), IsEmpty());
}

TEST_F(CheckerTest, SeesALostTask) {
  submit();
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("LOST")));
}

TEST_F(CheckerTest, SeesATaskThatTheBrokerForgot) {
  submit();
  run(attempt(1));
  end(attempt(1));
  add(fact::UnknownSeen{kTask, time_});
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("does not know it")));
}

TEST_F(CheckerTest, AllowsUnknownBeforeTheAcknowledgement) {
  const MonotonicTime asked = time_;
  submit();
  add(fact::UnknownSeen{kTask, asked});
  run(attempt(1));
  end(attempt(1));
  EXPECT_THAT(verdict(), IsEmpty());
}

TEST_F(CheckerTest, SeesTwoEnds) {
  submit();
  run(attempt(1));
  run(attempt(2));
  end(attempt(1));
  end(attempt(2));
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("two ends")));
}

TEST_F(CheckerTest, SeesASuccessThatNobodyProduced) {
  submit();
  end(attempt(1));
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("never began")));
}

TEST_F(CheckerTest, SeesAResultOfAnotherRun) {
  submit();
  run(attempt(1));
  end(attempt(1), TaskState::success, "something else");
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("not what the attempt produced")));
}

TEST_F(CheckerTest, SeesAnEndBeforeTheRunHasEnded) {
  submit();
  add(fact::Began{attempt(1), 1});
  end(attempt(1));
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("had not ended")));
}

TEST_F(CheckerTest, SeesAnAttemptThatBeginsTwice) {
  submit();
  run(attempt(1));
  run(attempt(1));
  end(attempt(1));
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("began attempt 1/1 twice")));
}

TEST_F(CheckerTest, SeesAnAttemptNumberUsedTwice) {
  submit();
  run(attempt(1));
  run(attempt(1, kTask, 2));
  end(attempt(1));
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("used the number")));
}

TEST_F(CheckerTest, SeesATaskThatBeginsTooEarly) {
  submit();
  submit(kLater, {kTask});
  run(attempt(1, kLater));
  run(attempt(1));
  end(attempt(1));
  end(attempt(1, kLater));
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("began before")));
}

TEST_F(CheckerTest, SeesADependentThatRanAfterAFailure) {
  submit();
  submit(kLater, {kTask}, /*cancel=*/true);
  run(attempt(1), TaskState::failure);
  end(attempt(1), TaskState::failure);
  run(attempt(1, kLater));
  end(attempt(1, kLater));
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("ran although")));
}

TEST_F(CheckerTest, SeesACancelThatWasNotKept) {
  submit();
  add(fact::CancelPromised{kTask, true});
  run(attempt(1));
  end(attempt(1));
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("promised to be cancelled")));
}

TEST_F(CheckerTest, SeesARunLongAfterTheCancel) {
  submit();
  add(fact::CancelAsked{kTask});
  add(fact::CancelPromised{kTask, true});
  time_ = time_ + std::chrono::minutes(1);
  run(attempt(1), TaskState::cancelled);
  end(attempt(1), TaskState::cancelled);
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("long after its cancel")));
}

TEST_F(CheckerTest, SeesARefusedTaskRun) {
  add(fact::Submitted{kTask, {}, false, {}});
  add(fact::Refused{kTask, false});
  run(attempt(1));
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("refused")));
}

TEST_F(CheckerTest, SeesASubmitWithoutAnAnswer) {
  add(fact::Submitted{kTask, {}, false, {}});
  add(fact::Unanswered{kTask, "submit"});
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("hangs")));
}

TEST_F(CheckerTest, SeesATaskThatNeverRan) {
  submit();
  end(attempt(0), TaskState::cancelled, "");
  submit(kLater);
  end(attempt(1, kLater), TaskState::error, "");
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("nobody wanted that"), HasSubstr("not lost")));
}

TEST_F(CheckerTest, AllowsWhatWasCancelledOrLostOftenEnough) {
  submit();
  add(fact::CancelAsked{kTask});
  end(attempt(0), TaskState::cancelled, "");
  submit(kLater, {kTask}, /*cancel=*/true);
  end(attempt(0, kLater), TaskState::cancelled, "");
  const TaskId lost(1, 3);
  submit(lost);
  add(fact::EndSeen{lost, attempt(4, lost), TaskState::error, FailureClass::worker_lost, ""});
  EXPECT_THAT(verdict(), IsEmpty());
}

TEST_F(CheckerTest, ATaskThatKillsItsWorkersMayEndInError) {
  submit();
  for (std::uint32_t i = 1; i <= kMostLosses + 1; ++i) kill(attempt(i));
  end_lost(attempt(kMostLosses + 1));
  EXPECT_THAT(verdict(false, /*poison=*/true), IsEmpty());
}

TEST_F(CheckerTest, SeesATaskThatKillsTooManyWorkers) {
  submit();
  for (std::uint32_t i = 1; i <= kMostLosses + 2; ++i) kill(attempt(i));
  end_lost(attempt(kMostLosses + 2));
  EXPECT_THAT(verdict(false, /*poison=*/true), ElementsAre(HasSubstr("killed 5 workers")));
}

TEST_F(CheckerTest, SeesATaskThatEndsForWhatAnotherDid) {
  submit();
  for (std::uint32_t i = 1; i <= kMostLosses + 1; ++i) {
    add(fact::Began{attempt(i), 1});
    add(fact::NodeDied{1});
  }
  end_lost(attempt(kMostLosses + 1));
  EXPECT_THAT(verdict(false, /*poison=*/true), ElementsAre(HasSubstr("what another task did")));
}

TEST_F(CheckerTest, SeesARunLongAfterTheEnd) {
  submit();
  run(attempt(1));
  end(attempt(1));
  time_ = time_ + std::chrono::minutes(1);
  run(attempt(2));
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("long after its end")));
}

TEST_F(CheckerTest, SeesASecondRunWhereNothingWasWrong) {
  submit();
  run(attempt(1));
  run(attempt(2));
  end(attempt(2));
  EXPECT_THAT(verdict(), IsEmpty());
  EXPECT_THAT(verdict(/*calm=*/true), ElementsAre(HasSubstr("more than once")));
}

TEST_F(CheckerTest, SeesARunThatACancelDoesNotStop) {
  submit();
  add(fact::Began{attempt(1), 1});
  add(fact::CancelAsked{kTask});
  add(fact::CancelPromised{kTask, true});
  time_ = time_ + std::chrono::minutes(1);
  add(fact::Ran{attempt(1), TaskState::success, "report"});
  end(attempt(1), TaskState::cancelled);
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("went on running")));
}

TEST_F(CheckerTest, SeesACancelOfWhatNeverEnded) {
  submit();
  add(fact::CancelPromised{kTask, false});
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("LOST"), HasSubstr("never did")));
}

TEST_F(CheckerTest, SeesATaskThatIsAcknowledgedAndRefused) {
  add(fact::Submitted{kTask, {}, false, {}});
  add(fact::Refused{kTask, false});
  add(fact::Acknowledged{kTask});
  run(attempt(1));
  end(attempt(1));
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("both acknowledged"), HasSubstr("has run")));
}

TEST_F(CheckerTest, SeesTheEndOfARunThatNeverBegan) {
  submit();
  run(attempt(1));
  add(fact::Ran{attempt(2), TaskState::success, "report"});
  end(attempt(1));
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("never began")));
}

TEST_F(CheckerTest, SeesATaskBehindACancelThatCameLater) {
  submit();
  submit(kLater, {kTask});
  run(attempt(1, kLater));
  end(attempt(1, kLater));
  add(fact::CancelAsked{kTask});
  end(attempt(0), TaskState::cancelled, "");
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("began before")));
}

TEST_F(CheckerTest, SeesATaskFromNowhere) {
  run(attempt(1));
  EXPECT_THAT(verdict(), ElementsAre(HasSubstr("nobody ever submitted")));
}

}  // namespace
}  // namespace taskpipe::simulation
