// Which blobs live tasks need, and what a session shows to the bulk port.
#include <gtest/gtest.h>

#include <algorithm>

#include "broker/core/session_token.hpp"
#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

std::string hash(char digit) { return std::string(64, digit); }

class InputsTest : public ::testing::Test {
 protected:
  void connect() {
    client = cluster.connect_client(kClient.routing, "ann");
    worker = cluster.connect_worker(kWorker.routing, PeerUuid(5, 1), "node", offer_of("tool", 8));
  }
  static TaskSpecPtr spec(std::vector<TaskInput> inputs) {
    TaskSpec spec = *spec_of("tool");
    spec.inputs = std::move(inputs);
    return std::make_shared<const TaskSpec>(std::move(spec));
  }
  static TaskId id(std::uint32_t index) { return TaskIdPrefix{1, 2}.id(index); }
  void submit(const TaskSpecPtr& spec, const std::vector<TaskId>& ids) {
    cluster.say(kClient, client, submit_of(spec, ids));
  }
  std::vector<std::string> needed() {
    Effects effects;
    cluster.core().apply(command::BlobsAsked{7, {hash('a'), hash('b'), hash('c')}}, cluster.now(),
                         effects);
    EXPECT_EQ(effects.blobs_needed.at(0).ticket, 7U);
    return effects.blobs_needed.at(0).hashes;
  }

  CoreCluster cluster;
  SessionId client;
  SessionId worker;
};

TEST_F(InputsTest, AnInputIsNeededUntilItsLastTaskHasEnded) {
  connect();
  EXPECT_TRUE(needed().empty());
  submit(spec({{"x", hash('a'), 1, false}, {"y", hash('b'), 1, false}}), {id(0)});
  submit(spec({{"x", hash('a'), 1, false}}), {id(1)});
  EXPECT_EQ(needed(), (std::vector{hash('a'), hash('b')}));
  cluster.say(kClient, client, Cancel{{id(0)}, {}, 0});
  for (const auto& tasks : cluster.take_all<Tasks>(kWorker)) {
    for (const auto& item : tasks.items) {
      if (item.attempt.task == id(0)) {
        cluster.say(kWorker, worker, Result{{{item.attempt, success()}}});
      }
    }
  }
  EXPECT_EQ(needed(), std::vector{hash('a')});
}

TEST_F(InputsTest, ARestartAndGarbageCollectionForgetNone) {
  connect();
  submit(spec({{"x", hash('c'), 1, true}}), {id(0), id(1)});
  cluster.restart();
  EXPECT_EQ(needed(), std::vector{hash('c')});
  cluster.collect_garbage(1);
  cluster.restart();
  EXPECT_EQ(needed(), std::vector{hash('c')});
}

TEST_F(InputsTest, AWorkerThatFetchesNoneGetsNoTaskWithInputs) {
  client = cluster.connect_client(kClient.routing, "ann");
  const SessionId older = cluster.connect_worker(kWorker.routing, PeerUuid(5, 1), "older",
                                                 offer_of("tool", 8), 1, false);
  cluster.say(kWorker, older, Credit{100, 1'000'000});
  submit(spec({{"x", hash('a'), 1, false}}), {id(0)});
  const auto refused = cluster.take_all<SubmitAck>(kClient).back();
  EXPECT_EQ(refused.items.at(0).code, ErrorCode::unsatisfiable);
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->field, "inputs");
  TaskSpec patient = *spec({{"x", hash('a'), 1, false}});
  patient.wait_for_capacity = true;
  submit(std::make_shared<const TaskSpec>(patient), {id(1)});
  submit(spec({}), {id(2)});
  const auto tasks = cluster.take_all<Tasks>(kWorker);
  ASSERT_EQ(tasks.size(), 1U);
  ASSERT_EQ(tasks[0].items.size(), 1U);
  EXPECT_EQ(tasks[0].items[0].attempt.task, id(2));

  const Peer newer{Port::worker, kWorker.routing + 1};
  const SessionId session =
      cluster.connect_worker(newer.routing, PeerUuid(5, 2), "newer", offer_of("tool", 8));
  cluster.say(newer, session, Credit{100, 1'000'000});
  const auto given = cluster.take_all<Tasks>(newer);
  ASSERT_EQ(given.size(), 1U);
  EXPECT_EQ(given[0].items.at(0).attempt.task, id(1));
}

TEST_F(InputsTest, AScriptMayBeAnInput) {
  connect();
  TaskSpec with_script = *spec({{"mine.sh", hash('a'), 1, true}});
  with_script.script = "mine.sh";
  submit(std::make_shared<const TaskSpec>(with_script), {id(0)});
  const auto refused = cluster.take_all<SubmitAck>(kClient).back();
  EXPECT_NE(refused.items.at(0).code, ErrorCode::ok) << "the tool takes no scripts of others";
}

TEST(SessionToken, IsSipHash) {
  // The reference's vector for the input 00 01 … 07 under the key 00 01 … 0f.
  const TokenSecret secret{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
  EXPECT_EQ(token_of(secret, SessionId(0x0706050403020100ULL)),
            BulkToken(0x61f55862baa9623bULL, 0xb49714f364e2830fULL));
}

TEST(SessionToken, IsToldWithTheSession) {
  BrokerConfig config;
  config.bulk_endpoint = "tcp://127.0.0.1:7613";
  config.token_secret = {1, 2};
  CoreCluster cluster(config);
  cluster.connect_client(kClient.routing, "ann");
  const SessionId session = cluster.connect_client(2, "bob");
  Effects effects;
  cluster.core().apply(
      command::MessageReceived{{Port::client, 2}, session, Correlation{}, false, Bye{"x"}},
      cluster.now(), effects);
  ASSERT_EQ(effects.session_changes.size(), 1U);
  EXPECT_EQ(effects.session_changes[0].session, session);
  EXPECT_FALSE(effects.session_changes[0].token);
  Hello hello;
  hello.user = "eve";
  hello.uuid = PeerUuid(9, 9);
  cluster.core().apply(
      command::MessageReceived{{Port::client, 3}, SessionId{}, Correlation{}, false, hello},
      cluster.now(), effects);
  const auto& change = effects.session_changes.at(1);
  EXPECT_EQ(change.token, token_of(config.token_secret, change.session));
  const auto& welcome = std::get<Welcome>(effects.sends.back().message);
  EXPECT_EQ(welcome.bulk_endpoint, config.bulk_endpoint);
  EXPECT_EQ(welcome.bulk_token, *change.token);
}

}  // namespace
}  // namespace taskpipe::broker::testing
