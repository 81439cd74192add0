// Random histories of a small cluster: clients, workers, cancels, losses, restarts, garbage
// collection. After every command the invariants hold (CoreCluster checks them); at the end every
// acknowledged task has ended with exactly one terminal record.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "tests/support/core_cluster.hpp"

namespace taskpipe::broker::testing {
namespace {

constexpr std::size_t kWorkers = 3;
constexpr int kSteps = 150;

class RandomHistory {
 public:
  explicit RandomHistory(std::uint32_t seed) : random_(seed) {
    reconnect_client();
    for (std::size_t i = 0; i < kWorkers; ++i) reconnect_worker(i);
  }

  void run() {
    for (int i = 0; i < kSteps && !::testing::Test::HasFatalFailure(); ++i) {
      cluster_.auto_history = pick(4) != 0;
      step();
    }
    settle();
    check();
  }

 private:
  struct Worker {
    SessionId session;
    std::uint64_t routing = 0;
    std::uint64_t incarnation = 1;
    std::uint64_t granted = 0;
    std::set<AttemptKey> held;  // received, not started
    std::set<AttemptKey> running;
    std::set<AttemptKey> unacknowledged;
  };

  std::uint32_t pick(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
  static PeerUuid uuid_of(std::size_t i) { return PeerUuid(77, i + 1); }
  Peer client() const { return {Port::client, client_routing_}; }
  Peer peer_of(std::size_t i) const { return {Port::worker, workers_[i].routing}; }

  void reconnect_client() {
    client_routing_ = ++last_routing_;
    client_session_ = cluster_.connect_client(client_routing_, "ann");
  }

  void reconnect_worker(std::size_t i) {
    Worker& worker = workers_[i];
    worker.routing = ++last_routing_;
    WorkerOffer offer = offer_of("tool", 2);
    offer.running.assign(worker.running.begin(), worker.running.end());
    offer.unacknowledged.assign(worker.unacknowledged.begin(), worker.unacknowledged.end());
    worker.held.clear();
    worker.session = cluster_.connect_worker(worker.routing, uuid_of(i), "w" + std::to_string(i),
                                             std::move(offer), worker.incarnation);
    worker.granted = 4;
    cluster_.say(peer_of(i), worker.session, Credit{worker.granted, 1'000'000});
    read(i);
  }

  // What a correct worker does with what it is told.
  void read(std::size_t i) {
    Worker& worker = workers_[i];
    for (auto& message : cluster_.take(peer_of(i))) {
      if (const auto* tasks = std::get_if<Tasks>(&message)) {
        for (const auto& item : tasks->items) {
          EXPECT_TRUE(seen_attempts_.insert(item.attempt).second) << "an attempt was sent twice";
          worker.held.insert(item.attempt);
        }
      } else if (const auto* kill = std::get_if<Kill>(&message)) {
        for (const auto& item : kill->items) stop(worker, item.attempt);
      } else if (const auto* reconcile = std::get_if<Reconcile>(&message)) {
        for (const auto& key : reconcile->kill) stop(worker, key);
        for (const auto& key : reconcile->drop) worker.unacknowledged.erase(key);
      } else if (const auto* ack = std::get_if<ResultAck>(&message)) {
        for (const auto& item : ack->items) worker.unacknowledged.erase(item.attempt);
      }
    }
  }

  void stop(Worker& worker, const AttemptKey& key) {
    if (worker.running.erase(key) + worker.held.erase(key) > 0) worker.unacknowledged.insert(key);
  }

  void submit() {
    const TaskIdPrefix prefix{++last_batch_, 42};
    std::vector<TaskId> ids;
    for (std::uint32_t i = 0; i <= pick(5); ++i) ids.push_back(prefix.id(i));
    const Submit message =
        submit_of(spec_of("tool", static_cast<std::int32_t>(pick(3)), pick(3)), ids);
    cluster_.say(client(), client_session_, message);
    if (pick(4) == 0) cluster_.say(client(), client_session_, message, true);
    for (const auto& ack : cluster_.take_all<SubmitAck>(client())) {
      for (const auto& item : ack.items) {
        EXPECT_EQ(item.code, ErrorCode::ok);
        acknowledge(item.id);
      }
    }
  }

  void submit_workflow() {
    const TaskIdPrefix prefix{++last_batch_, 43};
    SubmitWorkflow workflow;
    workflow.id = WorkflowId(9, last_batch_);
    workflow.on_failure = pick(2) == 0 ? OnFailure::run_dependents : OnFailure::cancel_dependents;
    workflow.specs.push_back(spec_of("tool"));
    const std::uint32_t count = 1 + pick(5);
    workflow.total = count;
    for (std::uint32_t i = 0; i < count; ++i) {
      workflow.items.push_back({prefix.id(i), 0, Payload("p"), {1, i}});
      Dependencies dependencies;
      for (std::uint32_t j = 0; j < i; ++j) {
        if (pick(2) == 0) dependencies.after.push_back(j);
      }
      workflow.dependencies.push_back(dependencies);
    }
    cluster_.say(client(), client_session_, workflow);
    for (const auto& ack : cluster_.take_all<WorkflowAck>(client())) {
      EXPECT_EQ(ack.error.code, ErrorCode::ok) << ack.error.text;
      for (std::uint32_t i = 0; i < count; ++i) acknowledge(prefix.id(i));
    }
  }

  void acknowledge(const TaskId& id) {
    if (acknowledged_.insert(id).second) arrival_of_.emplace(id, arrival_of_.size());
  }

  // Every page of a listing, while nothing else happens.
  std::vector<TaskRow> list_all(std::optional<TaskState> state) {
    std::vector<TaskRow> rows;
    Query query;
    query.filter.state = state;
    query.limit = 1 + pick(7);
    for (std::size_t page = 0; page <= 2 * acknowledged_.size() + 2; ++page) {
      cluster_.say(client(), client_session_, query);
      const auto replies = cluster_.take_all<Rows>(client());
      EXPECT_EQ(replies.size(), 1U);
      if (replies.size() != 1) return rows;
      rows.insert(rows.end(), replies[0].rows.begin(), replies[0].rows.end());
      if (replies[0].next.empty()) return rows;
      query.cursor = replies[0].next;
    }
    ADD_FAILURE() << "the listing does not end";
    return rows;
  }

  void list() {
    reconnect_client();         // its session may have been silent for too long
    cluster_.commit_history();  // or rows move there between two pages
    std::set<TaskId> listed;
    for (const auto& row : list_all(std::nullopt)) {
      EXPECT_TRUE(listed.insert(row.id).second) << "listed twice: " << row.id.to_string();
    }
    EXPECT_EQ(listed, acknowledged_);
    std::size_t above = acknowledged_.size();
    for (const auto& row : list_all(TaskState::pending)) {
      const std::size_t arrival = arrival_of_.at(row.id);
      EXPECT_LT(arrival, above) << "not from newest to oldest: " << row.id.to_string();
      above = arrival;
    }
  }

  void start_some(std::size_t i) {
    Worker& worker = workers_[i];
    if (worker.held.empty()) return;
    const AttemptKey key = *worker.held.begin();
    worker.held.erase(key);
    if (pick(6) == 0) {
      ++worker.granted;
      cluster_.say(peer_of(i), worker.session, Returned{{key}});
    } else {
      worker.running.insert(key);
      cluster_.say(peer_of(i), worker.session, Started{{{key, 1}}});
    }
    cluster_.say(peer_of(i), worker.session, Credit{++worker.granted, 1'000'000});
  }

  void end_some(std::size_t i) {
    Worker& worker = workers_[i];
    if (!worker.running.empty()) {
      const AttemptKey key = *worker.running.begin();
      worker.running.erase(key);
      worker.unacknowledged.insert(key);
    }
    send_results(i);
  }

  void send_results(std::size_t i) {
    Worker& worker = workers_[i];
    Result result;
    for (const auto& key : worker.unacknowledged) {
      Outcome outcome = success();
      if (pick(4) == 0) outcome.state = TaskState::failure;
      result.items.push_back({key, outcome});
    }
    if (!result.items.empty()) cluster_.say(peer_of(i), worker.session, result);
  }

  void cancel() {
    if (acknowledged_.empty()) return;
    auto it = acknowledged_.begin();
    std::advance(it, pick(static_cast<std::uint32_t>(acknowledged_.size())));
    cluster_.say(client(), client_session_, Cancel{{*it}, {}, 0});
  }

  void restart() {
    cluster_.restart();
    reconnect_client();
    // Some workers come back at once, others later or never.
    for (std::size_t i = 0; i < kWorkers; ++i) {
      if (pick(3) != 0) reconnect_worker(i);
    }
  }

  void lose_worker_process(std::size_t i) {
    Worker& worker = workers_[i];
    worker.running.clear();
    worker.held.clear();
    ++worker.incarnation;
    reconnect_worker(i);
  }

  void step() {
    const std::size_t i = pick(kWorkers);
    switch (pick(17)) {
      case 0:
      case 1:
      case 2: submit(); break;
      case 3: submit_workflow(); break;
      case 4:
      case 5:
      case 6: start_some(i); break;
      case 7:
      case 8:
      case 9: end_some(i); break;
      case 10: cancel(); break;
      case 11: reconnect_worker(i); break;
      case 12: cluster_.advance(Millis(pick(40'000))); break;
      case 13: cluster_.collect_garbage(1 + pick(3)); break;
      case 14: pick(3) == 0 ? restart() : cluster_.commit_history(); break;
      case 15: pick(3) == 0 ? lose_worker_process(i) : send_results(i); break;
      case 16: list(); break;
      default: break;
    }
    for (std::size_t w = 0; w < kWorkers; ++w) read(w);
  }

  // All workers are back and finish whatever they are given.
  void settle() {
    cluster_.auto_history = true;
    restart();
    for (int round = 0; round < 400 && cluster_.core().tasks_held() > 0; ++round) {
      for (std::size_t i = 0; i < kWorkers; ++i) {
        if (round % 20 == 0) reconnect_worker(i);
        start_some(i);
        end_some(i);
        for (std::size_t w = 0; w < kWorkers; ++w) read(w);
      }
      cluster_.commit_history();
    }
  }

  void check() {
    EXPECT_EQ(cluster_.core().tasks_held(), 0U);
    for (const auto& id : acknowledged_) {
      EXPECT_TRUE(cluster_.history().contains(id)) << "lost " << id.to_string();
      const auto records = cluster_.terminal_records().find(id);
      ASSERT_NE(records, cluster_.terminal_records().end());
      EXPECT_EQ(records->second, 1) << "recorded twice: " << id.to_string();
    }
  }

  std::mt19937 random_;
  CoreCluster cluster_;
  std::uint64_t last_routing_ = 0;
  std::uint64_t last_batch_ = 0;
  std::uint64_t client_routing_ = 0;
  SessionId client_session_;
  std::array<Worker, kWorkers> workers_;
  std::set<TaskId> acknowledged_;
  std::map<TaskId, std::size_t> arrival_of_;  // counted as they were acknowledged
  std::set<AttemptKey> seen_attempts_;
};

class CoreRandom : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(CoreRandom, LosesNothingAndRecordsEachEndOnce) {
  for (std::uint32_t seed = GetParam(); seed < GetParam() + 25; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomHistory(seed).run();
    ASSERT_FALSE(HasFailure());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, CoreRandom, ::testing::Values(1U, 1001U, 2001U, 3001U));

}  // namespace
}  // namespace taskpipe::broker::testing
