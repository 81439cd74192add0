// A core that must not record anything: it answers, refuses with the reason, and stays as it is.
#include <gmock/gmock.h>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

using ::testing::HasSubstr;

class ReadOnlyCoreTest : public BrokerCoreTest {
 protected:
  // One task has ended, one runs, one waits.
  void SetUp() override {
    cluster_.auto_history = false;
    connect(1);
    submit(spec_of("tool", 0, 1), {id(1)});
    finish(given().at(0));
    submit(spec_of("tool", 0, 1), {id(2), id(3)});
    ASSERT_EQ(given().size(), 1U);
    for (const auto& [lsn, record] : cluster_.journal()) core_.replay(record, lsn);
    core_.start_read_only("no space; free some", {}, cluster_.now(), effects_);
    now_ = cluster_.now();
  }
  std::vector<Message> ask(Message message) {
    effects_.clear();
    core_.apply(command::MessageReceived{kClient, session_, Correlation(++correlation_), false,
                                         std::move(message)},
                now_, effects_);
    core_.apply(command::TurnEnded{}, now_, effects_);
    EXPECT_TRUE(effects_.records.empty());
    std::vector<Message> answers;
    for (auto& send : effects_.sends) answers.push_back(std::move(send.message));
    return answers;
  }
  template <class T>
  T ask_for(Message message) {
    for (auto& answer : ask(std::move(message))) {
      if (auto* wanted = std::get_if<T>(&answer)) return std::move(*wanted);
    }
    ADD_FAILURE() << "no such answer";
    return T{};
  }
  void hello() {
    Hello hello;
    hello.role = Role::client;
    hello.uuid = PeerUuid(8, 8);
    hello.name = "ann's";
    hello.user = "ann";
    hello.version_min = kProtocolVersionMin;
    hello.version_max = kProtocolVersionMax;
    session_ = ask_for<Welcome>(hello).session;
  }

  BrokerCore core_{BrokerConfig{}};
  Effects effects_;
  Now now_;
  SessionId session_;
  std::uint64_t correlation_ = 1;
};

TEST_F(ReadOnlyCoreTest, KeepsTheLastEpochAndRecordsNothing) {
  EXPECT_TRUE(effects_.records.empty());
  core_.apply(command::HistoryReady{core_.last_lsn(), 1000}, now_, effects_);
  EXPECT_FALSE(effects_.archive) << "the history cannot take them";
  EXPECT_EQ(core_.epoch(), cluster_.core().epoch());
  // Long after every lease: what runs stays with its worker.
  now_.monotonic = now_.monotonic + Millis(3'600'000);
  core_.apply(command::TurnEnded{}, now_, effects_);
  EXPECT_TRUE(effects_.records.empty());
  EXPECT_EQ(core_.last_lsn(), cluster_.core().last_lsn());
  EXPECT_EQ(core_.check_invariants(), std::nullopt);
}

TEST_F(ReadOnlyCoreTest, AnswersWhatItKnows) {
  hello();
  Query query;
  query.filter.tasks = {id(1), id(2), id(3)};
  const auto rows = ask_for<Rows>(query);
  ASSERT_EQ(rows.rows.size(), 3U);
  EXPECT_EQ(rows.rows[0].state, TaskState::success);
  EXPECT_EQ(rows.rows[2].state, TaskState::pending);
  Wait wait;
  wait.tasks = {id(1)};
  EXPECT_EQ(ask_for<Done>(wait).tasks.at(0).outcome.state, TaskState::success);
}

TEST_F(ReadOnlyCoreTest, RefusesWhatNeedsARecordWithTheReason) {
  hello();
  const auto ack = ask_for<SubmitAck>(submit_of(spec_of("tool"), {id(9)}));
  ASSERT_TRUE(ack.error);
  EXPECT_EQ(ack.error->code, ErrorCode::storage);
  EXPECT_THAT(ack.error->text, HasSubstr("no space; free some"));
  Cancel cancel;
  cancel.tasks = {id(3)};
  EXPECT_EQ(ask_for<ErrorReply>(cancel).error.code, ErrorCode::storage);
  Fetch fetch;
  fetch.task = id(1);
  EXPECT_EQ(ask_for<ErrorReply>(fetch).error.code, ErrorCode::storage);
  Query query;
  query.filter.tasks = {id(3)};
  EXPECT_EQ(ask_for<Rows>(query).rows.at(0).state, TaskState::pending);
}

TEST_F(ReadOnlyCoreTest, IsNotHealthyAndSaysWhy) {
  hello();
  const auto health = ask_for<HealthReply>(HealthRequest{});
  EXPECT_FALSE(health.healthy);
  ASSERT_EQ(health.warnings.size(), 1U);
  EXPECT_THAT(health.warnings[0], HasSubstr("no space"));
}

}  // namespace
}  // namespace taskpipe::broker::testing
