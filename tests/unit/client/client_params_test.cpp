// With what tasks were submitted.
#include <algorithm>
#include <span>
#include <stop_token>

#include "tests/unit/client/client_fixture.hpp"

namespace taskpipe::testing {
namespace {

using ParamsTest = ClientFixture;
using Ids = std::span<const TaskId>;

TEST_F(ParamsTest, TellsWithWhatATaskWasSubmitted) {
  TaskRequest request;
  request.tool = "shell";
  request.script = "hello.sh";
  request.params["grid"] = ValueList{1, 2.5, "x"};
  const auto id = client_.submit(request);
  ASSERT_TRUE(id);
  const auto params = client_.params(*id);
  ASSERT_TRUE(params);
  EXPECT_EQ(*params, request.params);
  const auto none = client_.params(TaskId(9, 9));
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error().is(ErrorCode::unknown_task));
}

TEST_F(ParamsTest, TellsItOfManyInTheOrderAskedFor) {
  std::vector<TaskId> ids = submitted(100);
  std::reverse(ids.begin(), ids.end());
  ids.push_back(ids.front());
  const auto params = client_.params(Ids(ids));
  ASSERT_TRUE(params);
  ASSERT_EQ(params->size(), ids.size());
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(params->at(i), (ValueMap{{"n", static_cast<int>(99 - i)}}));
  }
  EXPECT_EQ(params->back(), params->front());
  EXPECT_TRUE(client_.params(Ids{})->empty());
}

TEST_F(ParamsTest, FailsWithAnUnknownOne) {
  std::vector<TaskId> ids = submitted(100);
  ids[50] = TaskId(9, 9);
  const auto none = client_.params(Ids(ids));
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error().is(ErrorCode::unknown_task));
  EXPECT_NE(none.error().text().find(ids[50].to_string()), std::string::npos);
}

TEST_F(ParamsTest, AsksForTheNextBeforeTheAnswerToTheLast) {
  const std::vector<TaskId> ids = submitted(3);
  broker_.hold(MessageType::query);
  auto asking = in_background([&] { return client_.params(Ids(ids)); });
  EXPECT_TRUE(broker_.await_seen(MessageType::query, 3));
  broker_.release();
  EXPECT_TRUE(asking.get());
}

TEST_F(ParamsTest, EndsOnRequest) {
  const std::vector<TaskId> ids = submitted(3);
  broker_.hold(MessageType::query);
  std::stop_source stop;
  auto asking = in_background([&] { return client_.params(Ids(ids), {.stop = stop.get_token()}); });
  EXPECT_TRUE(broker_.await_seen(MessageType::query, 3));
  stop.request_stop();
  const auto params = asking.get();
  ASSERT_FALSE(params);
  EXPECT_EQ(params.error().failure, CallFailure::stopped);
}

}  // namespace
}  // namespace taskpipe::testing
