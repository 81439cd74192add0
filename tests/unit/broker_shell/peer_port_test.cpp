#include "broker/shell/peer_port.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::broker {
namespace {

TEST(PeerPort, TasksThatDoNotFitAMessageAreRefusedInTheNameOfTheirWorker) {
  net::Context context;
  PeerPort port(context, Port::worker);
  auto spec = std::make_shared<TaskSpec>();
  spec->tool = std::string(limits::kMaxNameBytes + 1, 'x');
  Tasks tasks;
  tasks.specs.push_back(spec);
  const AttemptKey key{TaskId(1, 2), Epoch(3), Attempt(4)};
  tasks.items.push_back({key, 0, {{PeerUuid(5, 6)}}, Payload()});
  const Send send{{Port::worker, 9}, SessionId(7), {}, std::move(tasks), {}};
  const auto told = port.deliver(send);
  ASSERT_TRUE(told.has_value());
  const auto& message = std::get<command::MessageReceived>(*told);
  EXPECT_EQ(message.peer, send.to);
  EXPECT_EQ(message.session, send.session);
  const auto& refused = std::get<TasksAck>(message.message).refused;
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].attempt, key);
}

TEST(PeerPort, APeerThatIsNotThereIsUnreachable) {
  net::Context context;
  PeerPort port(context, Port::client);
  ASSERT_TRUE(port.bind("tcp://127.0.0.1:*"));
  const auto told = port.deliver({{Port::client, 9}, SessionId(7), {}, Bye{"x"}, {}});
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(std::get<command::PeerUnreachable>(*told).peer, (Peer{Port::client, 9}));
}

}  // namespace
}  // namespace taskpipe::broker
