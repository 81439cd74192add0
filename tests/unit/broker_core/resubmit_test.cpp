// Dead letters: what they are, and how they are repeated.
#include "tests/unit/broker_core/retry_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

TEST_F(RetryTest, WhatFailedForGoodIsADeadLetterUntilItIsSubmittedAgain) {
  connect();
  submit(spec_of("tool"), {id(0), id(1), id(2)});
  const auto keys = given();
  finish(keys.at(0), failed());
  finish(keys.at(1));
  cluster_.say(kClient, client_, Cancel{{id(2)}, {}, 0});
  EXPECT_EQ(dead_letters(), std::vector{id(0)});
  EXPECT_EQ(resubmit(id(0), id(10)).items.at(0).code, ErrorCode::ok);
  EXPECT_TRUE(dead_letters().empty());
  EXPECT_EQ(row(id(10)).original, id(0));
  for (const auto& key : given()) {
    if (key.task == id(10)) finish(key, failed(4));
  }
  EXPECT_EQ(dead_letters(), std::vector{id(10)});
  EXPECT_EQ(cluster_.history().at(id(10)).original, id(0));
}

TEST_F(RetryTest, AResubmitThatComesTwiceCountsOnce) {
  connect();
  submit(spec_of("tool"), {id(0)});
  finish(given().at(0), failed());
  EXPECT_EQ(resubmit(id(0), id(10)).items.at(0).code, ErrorCode::ok);
  EXPECT_EQ(resubmit(id(0), id(10)).items.at(0).code, ErrorCode::ok);
  EXPECT_EQ(given().size(), 1U);
  cluster_.restart();
  client_ = cluster_.connect_client(kClient.routing, "ann");
  EXPECT_EQ(resubmit(id(0), id(10)).items.at(0).code, ErrorCode::ok);
  EXPECT_EQ(cluster_.core().tasks_held(), 1U);
}

TEST_F(RetryTest, AResubmitSaysWhatItCannotRepeat) {
  connect(1);
  submit(spec_of("tool"), {id(0), id(1)});
  finish(given().at(0));
  const auto succeeded = resubmit(id(0), id(10));
  EXPECT_EQ(succeeded.items.at(0).code, ErrorCode::invalid);
  EXPECT_NE(succeeded.error->text.find("has succeeded"), std::string::npos);
  EXPECT_EQ(resubmit(id(1), id(11)).items.at(0).code, ErrorCode::invalid) << "it runs";
  EXPECT_EQ(resubmit(id(5), id(12)).items.at(0).code, ErrorCode::unknown_task);
  EXPECT_EQ(resubmit(id(0), id(1)).items.at(0).code, ErrorCode::id_conflict);
  client_ = cluster_.connect_client(2, "bob");
  cluster_.say({Port::client, 2}, client_, Resubmit{{{id(0), id(13)}}});
  const auto acks = cluster_.take_all<ResubmitAck>({Port::client, 2});
  EXPECT_EQ(acks.at(0).items.at(0).code, ErrorCode::unknown_task) << "another owner's";
}

}  // namespace
}  // namespace taskpipe::broker::testing
