// Who may do what: the table, and that no handler forgets to ask it.
#include "broker/core/authority.hpp"

#include <gmock/gmock.h>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

using ::testing::HasSubstr;

constexpr Peer kBob{Port::client, 2};
constexpr Peer kEye{Port::client, 3};
constexpr Peer kBoss{Port::client, 4};

BrokerConfig with_keys() {
  BrokerConfig config;
  config.keys = true;
  config.event_endpoint = "tcp://*:7612";
  return config;
}

class AuthorityTest : public BrokerCoreTest {
 protected:
  AuthorityTest() : BrokerCoreTest(with_keys()) {
    client_ = open(kClient, "ann", Role::client);
    bob_ = open(kBob, "bob", Role::client);
    eye_ = open(kEye, "eye", Role::observer);
    boss_ = open(kBoss, "boss", Role::admin);
    worker_ = open(kWorker, "farm", Role::worker);
    cluster_.say(kWorker, worker_, Credit{100, 1'000'000});
    cluster_.take(kWorker);
  }

  static CredentialPtr key_of(const std::string& user, Role role) {
    return std::make_shared<const Credential>(Credential{"key-" + user, user, user, role});
  }
  static Hello hello_of(const Peer& peer, bool worker) {
    Hello hello;
    hello.user = "whatever HELLO says";
    hello.name = "peer";
    hello.uuid = PeerUuid(peer.routing, 7);
    if (worker) {
      hello.role = Role::worker;
      hello.uuid = kWorkerUuid;
      hello.worker = offer_of("tool", 4);
    }
    return hello;
  }
  void greet(const Peer& peer, const Hello& hello, CredentialPtr key) {
    cluster_.apply(
        command::MessageReceived{peer, SessionId{}, Correlation{1}, false, hello, std::move(key)});
  }
  SessionId open(const Peer& peer, const std::string& user, Role role) {
    greet(peer, hello_of(peer, role == Role::worker), key_of(user, role));
    for (const Message& message : cluster_.take(peer)) {
      if (const auto* welcome = std::get_if<Welcome>(&message)) {
        welcome_ = *welcome;
        return welcome->session;
      }
    }
    return SessionId{};
  }
  // The code of the ERROR that answers, or ok when there is none.
  ErrorCode answer_to(const Peer& peer, SessionId session, Message message) {
    cluster_.say(peer, session, std::move(message));
    const auto errors = cluster_.take_all<ErrorReply>(peer);
    return errors.empty() ? ErrorCode::ok : errors[0].error.code;
  }

  static Query query_of(const TaskId& task) {
    Query query;
    query.filter.tasks = {task};
    return query;
  }

  SessionId bob_, eye_, boss_;
  Welcome welcome_;
};

TEST_F(AuthorityTest, TheTable) {
  const Deed deeds[] = {Deed::talk,   Deed::read, Deed::submit,
                        Deed::change, Deed::work, Deed::never};
  const std::pair<Role, std::string> rows[] = {{Role::client, "111100"},
                                               {Role::observer, "110000"},
                                               {Role::admin, "111100"},
                                               {Role::worker, "100010"}};
  for (const auto& [role, row] : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      EXPECT_EQ(may(role, deeds[i]), row[i] == '1') << name_of(role) << " deed " << i;
    }
  }
}

TEST_F(AuthorityTest, WhatTheBrokerSaysNobodyMaySay) {
  for (const Message& message : {Message(Welcome{}), Message(SubmitAck{}), Message(Done{}),
                                 Message(Tasks{}), Message(Kill{}), Message(Events{})}) {
    EXPECT_EQ(deed_of(message), Deed::never);
    EXPECT_EQ(answer_to(kBoss, boss_, message), ErrorCode::denied);
  }
}

TEST_F(AuthorityTest, TheKeyDecidesAboutUserAndRole) {
  ASSERT_EQ(welcome_.role, Role::worker);
  open({Port::client, 9}, "cleo", Role::client);
  EXPECT_EQ(welcome_.role, Role::client);
  EXPECT_EQ(welcome_.user, "cleo");
  EXPECT_EQ(welcome_.event_endpoint, "") << "the event port is not for clients";
  open({Port::client, 10}, "eve", Role::observer);
  EXPECT_EQ(welcome_.event_endpoint, "tcp://*:7612");
}

TEST_F(AuthorityTest, WithoutAKeyThereIsNoSession) {
  const Peer peer{Port::client, 20};
  greet(peer, hello_of(peer, false), nullptr);
  EXPECT_EQ(cluster_.take_all<ErrorReply>(peer).at(0).error.code, ErrorCode::denied);
  greet(peer, hello_of(peer, false), key_of("spy", Role::worker));
  EXPECT_EQ(cluster_.take_all<ErrorReply>(peer).at(0).error.code, ErrorCode::denied);
}

TEST_F(AuthorityTest, AUuidBelongsToItsUser) {
  const Peer peer{Port::client, 21};
  Hello hello = hello_of(peer, false);
  hello.uuid = PeerUuid(kClient.routing, 7);
  greet(peer, hello, key_of("thief", Role::client));
  EXPECT_EQ(cluster_.take_all<ErrorReply>(peer).at(0).error.code, ErrorCode::denied);
  const Peer rogue{Port::worker, 22};
  greet(rogue, hello_of(rogue, true), key_of("rogue", Role::worker));
  EXPECT_EQ(cluster_.take_all<ErrorReply>(rogue).at(0).error.code, ErrorCode::denied);
  // Also when its owner is away.
  cluster_.say(kWorker, worker_, Bye{});
  greet(rogue, hello_of(rogue, true), key_of("rogue", Role::worker));
  EXPECT_EQ(cluster_.take_all<ErrorReply>(rogue).at(0).error.code, ErrorCode::denied);
  EXPECT_NE(open({Port::worker, 23}, "farm", Role::worker), SessionId{});
}

TEST_F(AuthorityTest, AUserHasSoManySessions) {
  cluster_.check_invariants = false;  // of thousands of sessions, after each of thousands of turns
  for (std::uint64_t i = 0; i < limits::kMaxSessionsPerUser; ++i) {
    ASSERT_NE(open({Port::client, 1000 + i}, "many", Role::client), SessionId{});
  }
  const Peer last{Port::client, 999};
  greet(last, hello_of(last, false), key_of("many", Role::client));
  EXPECT_EQ(cluster_.take_all<ErrorReply>(last).at(0).error.code, ErrorCode::busy);
  EXPECT_NE(open({Port::client, 998}, "other", Role::client), SessionId{});
}

TEST_F(AuthorityTest, AnotherOwnersTaskDoesNotExist) {
  submit(spec_of("tool"), {id(0)});
  cluster_.say(kBob, bob_, query_of(id(0)));
  EXPECT_EQ(cluster_.take_all<Rows>(kBob).at(0).unknown.size(), 1U);
  cluster_.say(kBob, bob_, Cancel{{id(0)}, {}, 0});
  EXPECT_EQ(cluster_.take_all<CancelAck>(kBob).at(0).items.at(0).code, ErrorCode::unknown_task);
  EXPECT_EQ(answer_to(kBob, bob_, Fetch{id(0)}), ErrorCode::unknown_task);
  EXPECT_EQ(answer_to(kBob, bob_, Watch{{"task.", {}, true}, {}, {}, 8}), ErrorCode::denied);
  EXPECT_EQ(answer_to(kBob, bob_, Snapshot{{"task.", {}, true}, 0}), ErrorCode::denied);
}

TEST_F(AuthorityTest, ObserversSeeAllAndChangeNothing) {
  submit(spec_of("tool"), {id(0)});
  cluster_.say(kEye, eye_, Query{});
  EXPECT_EQ(cluster_.take_all<Rows>(kEye).at(0).rows.size(), 1U);
  EXPECT_EQ(answer_to(kEye, eye_, Cancel{{id(0)}, {}, 0}), ErrorCode::denied);
  EXPECT_EQ(answer_to(kEye, eye_, submit_of(spec_of("tool"), {id(1)})), ErrorCode::denied);
  EXPECT_EQ(answer_to(kEye, eye_, Resubmit{{{id(0), id(1)}}}), ErrorCode::denied);
}

TEST_F(AuthorityTest, AnAdminsResubmitStaysTheOwners) {
  submit(spec_of("tool"), {id(0)});
  Outcome failed;
  failed.state = TaskState::failure;
  failed.failure = FailureClass::exit;
  finish(given().at(0), failed);
  cluster_.say(kBoss, boss_, Resubmit{{{id(0), id(1)}}});
  EXPECT_EQ(cluster_.take_all<ResubmitAck>(kBoss).at(0).items.at(0).code, ErrorCode::ok);
  cluster_.say(kClient, client_, query_of(id(1)));
  EXPECT_EQ(cluster_.take_all<Rows>(kClient).at(0).rows.at(0).owner, "ann");
}

TEST_F(AuthorityTest, ARevokedKeyLosesItsSessionsAndNobodyElseDoes) {
  cluster_.apply(command::KeysRevoked{{"key-ann"}});
  EXPECT_THAT(cluster_.take_all<Bye>(kClient).at(0).reason, HasSubstr("not admitted"));
  cluster_.say(kClient, client_, Query{});
  EXPECT_EQ(cluster_.take_all<Who>(kClient).size(), 1U);
  EXPECT_EQ(answer_to(kBob, bob_, Query{}), ErrorCode::ok);
}

TEST_F(AuthorityTest, AWorkerCannotEndWhatItWasNeverGiven) {
  auto elsewhere = std::make_shared<TaskSpec>();
  elsewhere->tool = "of another worker";
  elsewhere->wait_for_capacity = true;
  submit(elsewhere, {id(0)});
  cluster_.say(kWorker, worker_, Result{{{AttemptKey{id(0), Epoch{}, Attempt{}}, success()}}});
  EXPECT_EQ(cluster_.take_all<ResultAck>(kWorker).at(0).items.at(0).code, ErrorCode::stale_attempt);
  Hello hello = hello_of(kWorker, true);
  hello.worker->running = {AttemptKey{id(0), Epoch{}, Attempt{}}};
  greet(kWorker, hello, key_of("farm", Role::worker));
  cluster_.say(kClient, client_, query_of(id(0)));
  EXPECT_EQ(cluster_.take_all<Rows>(kClient).at(0).rows.at(0).state, TaskState::pending);
}

TEST_F(AuthorityTest, ProgressIsWatchedByItsOwnerAlone) {
  submit(spec_of("tool"), {id(0)});
  const AttemptKey key = given().at(0);
  cluster_.say(kClient, client_, Watch{{"task.", {}, false}, {}, {}, 8, true});
  cluster_.say(kBob, bob_, Watch{{"task.", {}, false}, {}, {}, 8, true});
  cluster_.take(kClient);
  cluster_.take(kBob);
  cluster_.say(kWorker, worker_, Progress{{{key, 25.0, "a quarter", {{"loss", 0.5}}}}});
  const auto events = cluster_.take_all<Events>(kClient);
  ASSERT_EQ(events.size(), 1U);
  ASSERT_EQ(events[0].tasks.size(), 1U);
  EXPECT_EQ(events[0].tasks[0].percent, 25.0);
  EXPECT_EQ(events[0].tasks[0].seq, 0U);
  EXPECT_EQ(events[0].tasks[0].metrics.size(), 1U);
  EXPECT_TRUE(cluster_.take_all<Events>(kBob).empty());
}

TEST_F(AuthorityTest, ProgressStaysWithinTheCredit) {
  submit(spec_of("tool"), {id(0)});
  const AttemptKey key = given().at(0);
  cluster_.say(kClient, client_, Watch{{"task.", {}, false}, {}, {}, 3, true});
  for (int i = 1; i <= 10; ++i) {
    cluster_.say(kWorker, worker_, Progress{{{key, i * 1.0, "", {}}}});
  }
  EXPECT_EQ(cluster_.take_all<Events>(kClient).size(), 3U) << "the answer, and two of progress";
  cluster_.say(kClient, client_, WatchCredit{4, false});
  EXPECT_TRUE(cluster_.take_all<Events>(kClient).empty()) << "what was missed is not made up for";
  cluster_.say(kWorker, worker_, Progress{{{key, 11.0, "", {}}}});
  EXPECT_EQ(cluster_.take_all<Events>(kClient).at(0).tasks.at(0).percent, 11.0);
}

}  // namespace
}  // namespace taskpipe::broker::testing
