// One client and one worker at a core, for the tests of its behaviours.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/core_cluster.hpp"

namespace taskpipe::broker::testing {

inline constexpr Peer kClient{Port::client, 1};
inline constexpr Peer kWorker{Port::worker, 100};
inline const PeerUuid kWorkerUuid(5, 5);

class BrokerCoreTest : public ::testing::Test {
 protected:
  explicit BrokerCoreTest(BrokerConfig config = {}) : cluster_(std::move(config)) {}
  void connect(std::uint32_t cpus = 2) {
    client_ = cluster_.connect_client(kClient.routing, "ann");
    worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer_of("tool", cpus));
    cluster_.say(kWorker, worker_, Credit{100, 1'000'000});
    cluster_.take(kWorker);
  }
  SubmitAck submit(const TaskSpecPtr& spec, const std::vector<TaskId>& ids) {
    cluster_.say(kClient, client_, submit_of(spec, ids));
    auto acks = cluster_.take_all<SubmitAck>(kClient);
    return acks.size() == 1 ? acks[0] : SubmitAck{};
  }
  std::vector<AttemptKey> given() {
    std::vector<AttemptKey> keys;
    for (const auto& tasks : cluster_.take_all<Tasks>(kWorker)) {
      for (const auto& item : tasks.items) keys.push_back(item.attempt);
    }
    return keys;
  }
  void finish(const AttemptKey& key, const Outcome& outcome = success()) {
    cluster_.say(kWorker, worker_, Result{{{key, outcome}}});
  }
  static TaskId id(std::uint32_t i) { return TaskIdPrefix{1000, 99}.id(i); }

  CoreCluster cluster_;
  SessionId client_;
  SessionId worker_;
};

}  // namespace taskpipe::broker::testing
