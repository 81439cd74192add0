// SUBMITs that wait for what they submit.
#include <gmock/gmock.h>

#include <variant>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

using ::testing::ElementsAre;

class RunTest : public BrokerCoreTest {
 protected:
  void run(const std::vector<TaskId>& ids, const std::string& tool = "tool") {
    Submit submit = submit_of(spec_of(tool), ids);
    submit.wait = true;
    cluster_.say(kClient, client_, std::move(submit));
  }
  static std::vector<TaskId> ended(const std::vector<Message>& messages) {
    std::vector<TaskId> ids;
    for (const Message& message : messages) {
      const auto* done = std::get_if<Done>(&message);
      if (done == nullptr) continue;
      for (const DoneTask& task : done->tasks) ids.push_back(task.attempt.task);
    }
    return ids;
  }
};

TEST_F(RunTest, TheEndIsToldWithoutAWaitAndTheAcknowledgementComesWithIt) {
  connect();
  run({id(0)});
  EXPECT_TRUE(cluster_.take(kClient).empty());
  finish(given().at(0));
  const auto messages = cluster_.take(kClient);
  ASSERT_EQ(messages.size(), 2U);
  const auto* ack = std::get_if<SubmitAck>(&messages[0]);
  ASSERT_NE(ack, nullptr);
  EXPECT_TRUE(ack->waits);
  EXPECT_EQ(ack->items.at(0).code, ErrorCode::ok);
  EXPECT_THAT(ended(messages), ElementsAre(id(0)));
}

TEST_F(RunTest, ATaskThatTakesItsTimeIsAcknowledgedSoon) {
  connect();
  run({id(0)});
  cluster_.advance(Millis(1));
  EXPECT_TRUE(cluster_.take(kClient).empty());
  run({id(1)});
  cluster_.advance(Millis(1));
  EXPECT_EQ(cluster_.take_all<SubmitAck>(kClient).size(), 2U);
  run({id(2)});  // the timer is set anew
  cluster_.advance(Millis(2));
  EXPECT_EQ(cluster_.take_all<SubmitAck>(kClient).size(), 1U);
}

TEST_F(RunTest, ManyAtOnceAreAcknowledgedAtOnce) {
  connect();
  std::vector<TaskId> ids;
  for (std::uint32_t i = 0; i < 17; ++i) ids.push_back(id(i));
  run(ids);
  EXPECT_EQ(cluster_.take_all<SubmitAck>(kClient).size(), 1U);
}

TEST_F(RunTest, ARefusalIsToldAtOnceAndNotWaitedFor) {
  connect();
  submit(spec_of("tool", 1), {id(0)});
  run({id(0)});  // with another specification
  const auto messages = cluster_.take(kClient);
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(std::get<SubmitAck>(messages[0]).items.at(0).code, ErrorCode::id_conflict);
  finish(given().at(0));
  EXPECT_TRUE(cluster_.take(kClient).empty());
}

TEST_F(RunTest, OneThatIsHeldOrHasEndedIsWaitedForAsWell) {
  connect();
  cluster_.auto_history = false;
  submit(spec_of("tool"), {id(0)});
  run({id(0)});  // held
  finish(given().at(0));
  EXPECT_THAT(ended(cluster_.take(kClient)), ElementsAre(id(0)));
  run({id(0)});  // ended, not in the history yet
  EXPECT_THAT(ended(cluster_.take(kClient)), ElementsAre(id(0)));
  cluster_.commit_history();
  ASSERT_EQ(cluster_.core().tasks_held(), 0U);
  Submit again = submit_of(spec_of("tool"), {id(0)});
  again.wait = true;
  cluster_.say(kClient, client_, std::move(again), true);  // RESEND: looked for in the history
  const auto messages = cluster_.take(kClient);
  EXPECT_THAT(ended(messages), ElementsAre(id(0)));
  EXPECT_TRUE(given().empty());  // it does not run again
}

TEST_F(RunTest, ASubmitWithoutItIsNotTold) {
  connect();
  EXPECT_FALSE(submit(spec_of("tool"), {id(0)}).waits);
  finish(given().at(0));
  EXPECT_TRUE(cluster_.take(kClient).empty());
}

TEST_F(RunTest, AClientThatLeavesTakesItsAcknowledgementsWithIt) {
  connect();
  run({id(0)});
  cluster_.say(kClient, client_, Bye{});
  cluster_.take(kClient);
  cluster_.advance(Millis(2));
  finish(given().at(0));
  EXPECT_TRUE(cluster_.take(kClient).empty());
}

}  // namespace
}  // namespace taskpipe::broker::testing
