// FETCH: output that lies with the worker, and who follows what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

class BrokerCoreLogsTest : public BrokerCoreTest {
 protected:
  // The FETCH that the worker was asked, if it was asked one.
  std::optional<Fetch> asked() {
    const auto fetches = cluster_.take_all<Fetch>(kWorker);
    return fetches.size() == 1 ? std::optional(fetches[0]) : std::nullopt;
  }
  void answer(Message message) {
    cluster_.say(kWorker, worker_, std::move(message), false, cluster_.last_correlation(kWorker));
  }
};

TEST_F(BrokerCoreLogsTest, AWorkersRefusalReachesWhoAskedForTheOutput) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  finish(given().at(0));
  cluster_.take(kClient);
  cluster_.take(kWorker);
  cluster_.say(kClient, client_, Fetch{id(0), LogStream::out, 0, 0, true});
  ASSERT_TRUE(asked().has_value());
  const Error refusal{ErrorCode::unknown_task, "this worker keeps no output of the task",
                      "task_id"};
  answer(ErrorReply{refusal});
  const auto errors = cluster_.take_all<ErrorReply>(kClient);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].error, refusal);
  EXPECT_EQ(cluster_.last_correlation(kClient), Correlation(1));
  answer(ErrorReply{refusal});  // once answered, it is forgotten
  EXPECT_TRUE(cluster_.take(kClient).empty());
}

TEST_F(BrokerCoreLogsTest, ManyRefusedFetchesLeaveRoomForMore) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  finish(given().at(0));
  cluster_.take(kWorker);
  for (std::size_t i = 0; i <= limits::kMaxForwardedFetches; ++i) {
    cluster_.say(kClient, client_, Fetch{id(0), LogStream::out, 0, 0, false});
    ASSERT_TRUE(asked().has_value()) << i;
    answer(ErrorReply{{ErrorCode::unknown_task, "gone", "task_id"}});
  }
}

TEST_F(BrokerCoreLogsTest, AfterARestartTheOutputSoFarComesFromTheWorker) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  const auto keys = given();
  cluster_.say(kWorker, worker_, Started{{{keys.at(0), 1}}});
  cluster_.say(kWorker, worker_, Log{{{keys[0], LogStream::out, 0, Payload("before")}}});
  cluster_.restart();
  client_ = cluster_.connect_client(kClient.routing, "ann");
  WorkerOffer offer = offer_of("tool", 1);
  offer.running = keys;
  worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer);
  cluster_.take(kWorker);
  cluster_.say(kClient, client_, Fetch{id(0), LogStream::out, 0, 0, false});
  ASSERT_TRUE(asked().has_value());
  answer(Chunk{id(0), LogStream::out, 0, false, Payload("before")});
  EXPECT_EQ(cluster_.take_all<Chunk>(kClient).at(0).data.text(), "before");
  // The other stream speaks first; this one's output still lies with the worker only.
  cluster_.say(kWorker, worker_, Log{{{keys[0], LogStream::err, 0, Payload("x")}}});
  cluster_.say(kClient, client_, Fetch{id(0), LogStream::out, 0, 0, false});
  EXPECT_TRUE(asked().has_value());
}

TEST_F(BrokerCoreLogsTest, ATaskThatNoWorkerHoldsHasNoOutputYet) {
  connect(1);
  submit(spec_of("tool"), {id(0), id(1)});
  cluster_.take(kWorker);
  cluster_.say(kClient, client_, Fetch{id(1), LogStream::out, 0, 0, false});
  EXPECT_FALSE(asked().has_value());
  EXPECT_TRUE(cluster_.take_all<Chunk>(kClient).at(0).data.empty());
}

}  // namespace
}  // namespace taskpipe::broker::testing
