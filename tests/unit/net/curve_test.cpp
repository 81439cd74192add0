// Sockets with keys: who is admitted, and that nobody is where nobody answers for the keys.
#include <condition_variable>
#include <mutex>

#include "common/net/zap_server.hpp"
#include "tests/unit/net/loopback.hpp"

namespace taskpipe::net {
namespace {

using security::make_key_pair;
using testing::ping;
using testing::ping_time;
using testing::quick_tuning;
using testing::receive_probe;
using testing::receive_soon;
using testing::wait_until;

class Curve : public ::testing::Test {
 protected:
  void bind() {
    SocketTuning tuning = quick_tuning();
    tuning.curve_server = CurveServer{server_, "clients"};
    router_ = std::make_unique<RouterSocket>(context_, tuning);
    ASSERT_TRUE(router_->bind("tcp://127.0.0.1:*").has_value());
  }

  [[nodiscard]] std::unique_ptr<DealerSocket> connect(const security::KeyPair& keys) {
    SocketTuning tuning = quick_tuning();
    tuning.curve_client = CurveClient{server_.public_key, keys};
    auto dealer = std::make_unique<DealerSocket>(context_, tuning);
    EXPECT_TRUE(dealer->connect(router_->endpoint()).has_value());
    return dealer;
  }

  // What becomes of the next handshake. Whatever the router receives until then is a failure.
  [[nodiscard]] std::optional<Handshake> outcome(DealerSocket& dealer) {
    std::optional<Handshake> outcome;
    EXPECT_TRUE(wait_until(dealer.native(), [&] {
      EXPECT_FALSE(dealer.receive(received_));  // lets the probe leave
      EXPECT_FALSE(router_->receive(received_));
      outcome = dealer.handshakes().next();
      return outcome.has_value();
    }));
    return outcome;
  }

  Context context_;
  security::KeyPair server_ = make_key_pair();
  security::KeyPair peer_ = make_key_pair();
  std::unique_ptr<RouterSocket> router_;
  ReceivedMessage received_;
};

TEST_F(Curve, WhereNobodyAnswersForTheKeysNobodyIsAdmitted) {
  bind();
  const auto dealer = connect(peer_);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(outcome(*dealer), Handshake::hung_up);
  EXPECT_FALSE(router_->receive(received_));
}

TEST_F(Curve, TheHandlerDecides) {
  const ZapServer zap(context_, [this](const ZapRequest& request) {
    return request.domain == "clients" && request.key == peer_.public_key;
  });
  bind();
  const auto stranger = connect(make_key_pair());
  EXPECT_EQ(outcome(*stranger), Handshake::refused);
  const auto dealer = connect(peer_);
  ASSERT_TRUE(receive_probe(*router_, *dealer, received_));
  ASSERT_EQ(dealer->send(ping(1)), SendStatus::sent);
  ASSERT_TRUE(receive_soon(*router_, received_));
  EXPECT_EQ(ping_time(received_), 1U);
  EXPECT_EQ(received_.user_id, peer_.public_key.hex());
}

TEST_F(Curve, WhenTheHandlerIsGoneNobodyElseIsAdmitted) {
  auto zap = std::make_unique<ZapServer>(context_, [](const ZapRequest&) { return true; });
  bind();
  const auto inside = connect(peer_);
  ASSERT_TRUE(receive_probe(*router_, *inside, received_));
  zap.reset();
  const auto late = connect(peer_);
  EXPECT_EQ(outcome(*late), Handshake::hung_up);
  ASSERT_EQ(inside->send(ping(1)), SendStatus::sent);
  ASSERT_TRUE(receive_soon(*router_, received_));
  EXPECT_EQ(ping_time(received_), 1U);
}

// A handler that hangs keeps those out who come meanwhile, and stops nobody who is in.
TEST_F(Curve, AStalledHandlerKeepsOthersWaitingAndStopsNobody) {
  std::mutex mutex;
  std::condition_variable changed;
  bool asked = false;
  bool released = false;
  const ZapServer zap(context_, [&](const ZapRequest& request) {
    if (request.key == peer_.public_key) return true;
    std::unique_lock lock(mutex);
    asked = true;
    changed.notify_all();
    changed.wait(lock, [&] { return released; });
    return true;
  });
  bind();
  const auto inside = connect(peer_);
  ASSERT_TRUE(receive_probe(*router_, *inside, received_));
  const std::uint64_t routing = received_.routing;
  const auto waits = connect(make_key_pair());
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, testing::kDeadline, [&] { return asked; }));
  }
  for (std::uint64_t t = 1; t <= 20; ++t) {
    ASSERT_EQ(inside->send(ping(t)), SendStatus::sent);
    ASSERT_TRUE(receive_soon(*router_, received_));
    ASSERT_EQ(received_.routing, routing);
    ASSERT_EQ(router_->send(routing, ping(t)), SendStatus::sent);
    ASSERT_TRUE(receive_soon(*inside, received_));
  }
  EXPECT_FALSE(waits->handshakes().next().has_value());
  {
    const std::lock_guard lock(mutex);
    released = true;
  }
  changed.notify_all();
  EXPECT_TRUE(receive_probe(*router_, *waits, received_));
}

}  // namespace
}  // namespace taskpipe::net
