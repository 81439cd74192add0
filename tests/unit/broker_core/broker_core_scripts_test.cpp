// Which scripts of a tool may be submitted, as its workers come and go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

class BrokerCoreScriptsTest : public BrokerCoreTest {
 protected:
  SessionId offer(std::uint64_t routing, const std::vector<std::string>& scripts,
                  bool inline_scripts = false, bool requires_script = true) {
    WorkerOffer offer = offer_of("tool", 1);
    for (const auto& name : scripts) offer.tools[0].scripts.push_back({name, ""});
    offer.tools[0].inline_scripts = inline_scripts;
    offer.tools[0].requires_script = requires_script;
    return cluster_.connect_worker(routing, PeerUuid(routing, 5), "w", std::move(offer));
  }
  std::optional<Error> submit_script(const std::string& script, const std::string& text = {}) {
    auto spec = std::make_shared<TaskSpec>(*spec_of("tool"));
    spec->script = script;
    spec->inline_script = Payload(text);
    return submit(spec, {id(next_++)}).error;
  }

  std::uint32_t next_ = 0;
};

TEST_F(BrokerCoreScriptsTest, AScriptThatAnyWorkerHasIsTaken) {
  client_ = cluster_.connect_client(kClient.routing, "ann");
  offer(100, {"b", "a"});
  offer(101, {"c"});
  EXPECT_EQ(submit_script("c"), std::nullopt);
  EXPECT_EQ(submit_script("a"), std::nullopt);
  const auto refused = submit_script("d");
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->field, "script");
  EXPECT_THAT(refused->text, ::testing::HasSubstr("it has: a, b, c"));
  const auto missing = submit_script("");
  ASSERT_TRUE(missing.has_value());
  EXPECT_THAT(missing->text, ::testing::HasSubstr("needs a script; it has: a, b, c"));
  EXPECT_EQ(submit_script("x", "text")->field, "inline_script");
}

TEST_F(BrokerCoreScriptsTest, AVerdictHoldsOnlyWhileTheOffersStay) {
  client_ = cluster_.connect_client(kClient.routing, "ann");
  offer(100, {"a"});
  EXPECT_EQ(submit_script("a"), std::nullopt);
  EXPECT_EQ(submit_script("a"), std::nullopt);
  offer(100, {"b"});
  EXPECT_TRUE(submit_script("a").has_value());
  EXPECT_EQ(submit_script("b"), std::nullopt);
  offer(100, {}, true);
  EXPECT_EQ(submit_script("x", "text"), std::nullopt);
  EXPECT_THAT(submit_script("b")->text, ::testing::HasSubstr("none (send it inline)"));
}

TEST_F(BrokerCoreScriptsTest, AToolThatListsNoScriptsTakesAny) {
  client_ = cluster_.connect_client(kClient.routing, "ann");
  offer(100, {}, false, false);
  EXPECT_EQ(submit_script("anything"), std::nullopt);
  EXPECT_EQ(submit_script(""), std::nullopt);
}

}  // namespace
}  // namespace taskpipe::broker::testing
