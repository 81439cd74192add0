// Tasks that fail, for the tests of what follows.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {

inline constexpr std::uint32_t kBackoffMs = 1000;

inline TaskSpecPtr retried(std::uint32_t max_attempts,
                           std::uint32_t failures = kUsuallyRetriedFailures) {
  TaskSpec spec = *spec_of("tool");
  spec.retry.max_attempts = max_attempts;
  spec.retry.failures = failures;
  spec.retry.backoff_ms = kBackoffMs;
  spec.retry.max_backoff_ms = 4 * kBackoffMs;
  return std::make_shared<const TaskSpec>(std::move(spec));
}

inline TaskSpecPtr impatient(std::uint64_t queue_time_ms) {
  TaskSpec spec = *spec_of("tool");
  spec.limits.queue_time_ms = queue_time_ms;
  return std::make_shared<const TaskSpec>(std::move(spec));
}

inline Outcome failed(std::int32_t exit_code = 3) {
  Outcome outcome;
  outcome.state = TaskState::failure;
  outcome.failure = FailureClass::exit;
  outcome.exit_code = exit_code;
  outcome.reason = "exit code " + std::to_string(exit_code);
  outcome.report = Payload("a long report");
  return outcome;
}

class RetryTest : public BrokerCoreTest {
 protected:
  // One tick before it is due nothing is given; once it is, exactly one.
  AttemptKey next_attempt(std::uint32_t longest_ms) {
    EXPECT_TRUE(given().empty());
    cluster_.advance(Millis(longest_ms / 2 - 1));
    EXPECT_TRUE(given().empty()) << "before half of the backoff is over";
    cluster_.advance(Millis(longest_ms - longest_ms / 2 + 1));
    const auto keys = given();
    EXPECT_EQ(keys.size(), 1U);
    return keys.empty() ? AttemptKey{} : keys[0];
  }
  TaskRow row(const TaskId& task) {
    Query query;
    query.filter.tasks = {task};
    query.with_attempts = true;
    cluster_.say(kClient, client_, query);
    const auto rows = cluster_.take_all<Rows>(kClient);
    return rows.empty() || rows[0].rows.empty() ? TaskRow{} : rows[0].rows[0];
  }
  std::vector<TaskId> dead_letters() {
    Query query;
    query.filter.dead = true;
    cluster_.say(kClient, client_, query);
    std::vector<TaskId> ids;
    for (const auto& rows : cluster_.take_all<Rows>(kClient)) {
      for (const auto& row : rows.rows) ids.push_back(row.id);
    }
    return ids;
  }
  ResubmitAck resubmit(const TaskId& original, const TaskId& again) {
    cluster_.say(kClient, client_, Resubmit{{{original, again}}});
    const auto acks = cluster_.take_all<ResubmitAck>(kClient);
    return acks.size() == 1 ? acks[0] : ResubmitAck{};
  }
  void reconnect_worker(WorkerOffer offer = offer_of("tool", 2)) {
    worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", std::move(offer));
    cluster_.say(kWorker, worker_, Credit{100, 1'000'000});
  }
};

}  // namespace taskpipe::broker::testing
