// A client and the fake broker that it talks to.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "common/protocol/value_codec.hpp"
#include "taskpipe/client.hpp"
#include "tests/support/fake_broker.hpp"

namespace taskpipe::testing {

// No call of a test takes this long unless it hangs.
inline constexpr Millis kPatience{20'000};

inline TaskRequest request(std::string tool = "shell", int n = 0) {
  TaskRequest task;
  task.tool = std::move(tool);
  task.script = "script";
  task.params = {{"n", n}};
  return task;
}

class ClientFixture : public ::testing::Test {
 protected:
  static ClientOptions options_for(const FakeBroker& broker) {
    ClientOptions options;
    options.broker = broker.endpoint();
    options.user = "tester";
    options.connect_timeout = kPatience;
    options.request_timeout = kPatience;
    return options;
  }
  static Payload report_of(const std::string& text) {
    RunReport report;
    report.stdout_tail = text;
    return protocol::encode_report(report).value();
  }
  TaskId submitted(const TaskRequest& task = request()) {
    const auto id = client_.submit(task);
    EXPECT_TRUE(id) << id.error().text();
    return id.value_or(TaskId{});
  }
  std::vector<TaskId> submitted(std::size_t count, const std::string& tool = "shell") {
    std::vector<TaskRequest> batch;
    for (std::size_t i = 0; i < count; ++i) batch.push_back(request(tool, static_cast<int>(i)));
    const auto ids = client_.submit_batch(batch);
    EXPECT_TRUE(ids) << ids.error().first().text();
    return ids.value_or(std::vector<TaskId>{});
  }
  template <class Job>
  static auto in_background(Job job) {
    return std::async(std::launch::async, std::move(job));
  }

  FakeBroker broker_;
  Client client_{options_for(broker_)};
  CallOptions patient_{kPatience, {}};
};

}  // namespace taskpipe::testing
