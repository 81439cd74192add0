// Random histories with readers that come late, stop reading, lose their link, and live through
// restarts of the broker: what each is told, live and replayed, is exactly the sequence of state
// changes that the journal's records make, or it is told GAP_TOO_OLD and goes on from a snapshot.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "tests/support/stream_reader.hpp"

namespace taskpipe::broker::testing {
namespace {

constexpr Peer kSubmitter{Port::client, 1};
constexpr Peer kRunner{Port::worker, 2};

using Told = std::tuple<std::uint64_t, TaskId, TaskState>;

// What the records say, without any help of the code under test.
class RecordedChanges {
 public:
  void take(std::uint64_t lsn, const Record& record) {
    if (const auto* r = std::get_if<record::TasksSubmitted>(&record)) {
      for (const auto& item : r->items) {
        tools_.emplace(item.id, r->specs[item.spec]->tool);
        add(lsn, item.id, TaskState::pending);
      }
    } else if (const auto* w = std::get_if<record::WorkflowSubmitted>(&record)) {
      for (const auto& item : w->items) {
        tools_.emplace(item.id, w->specs[item.spec]->tool);
        add(lsn, item.id, TaskState::pending);
      }
    } else if (const auto* started = std::get_if<record::TasksStarted>(&record)) {
      for (const auto& item : started->items) add(lsn, item.id, TaskState::running);
    } else if (const auto* again = std::get_if<record::TasksRequeued>(&record)) {
      for (const auto& item : again->items) add(lsn, item.id, TaskState::pending);
    } else if (const auto* ended = std::get_if<record::TasksFinished>(&record)) {
      for (const auto& item : ended->items) add(lsn, item.id, item.outcome.state);
    }
  }

  // After that number, of one tool ("" = of all).
  [[nodiscard]] std::vector<Told> after(std::uint64_t lsn, const std::string& tool) const {
    std::vector<Told> found;
    for (const auto& change : changes_) {
      if (std::get<0>(change) <= lsn) continue;
      if (tool.empty() || tools_.at(std::get<1>(change)) == tool) found.push_back(change);
    }
    return found;
  }

 private:
  void add(std::uint64_t lsn, const TaskId& id, TaskState state) {
    changes_.emplace_back(lsn, id, state);
  }
  std::map<TaskId, std::string> tools_;
  std::vector<Told> changes_;
};

struct Reading {
  std::string tool;
  std::unique_ptr<StreamReader> reader;
  std::uint64_t from = 0;  // where it began, at first or after a snapshot
  std::vector<Told> told;  // since then
};

class ReplayHistory {
 public:
  ReplayHistory(std::uint32_t seed, std::uint64_t retention_bytes)
      : random_(seed), cluster_(config_of(retention_bytes)) {
    reconnect();
    for (const std::string tool : {"a", "b", ""}) add_reading(tool, 0);
    add_reading("a", 0)->reader->end();  // watches nothing for now
  }

  void run() {
    for (int i = 0; i < 200 && !::testing::Test::HasFatalFailure(); ++i) step();
    settle();
    check();
  }
  [[nodiscard]] std::size_t gaps() const { return gaps_; }
  [[nodiscard]] std::size_t told() const { return told_; }

 private:
  static BrokerConfig config_of(std::uint64_t retention_bytes) {
    BrokerConfig config;
    config.event_retention_bytes = retention_bytes;
    return config;
  }
  std::uint32_t pick(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }

  Reading* add_reading(const std::string& tool, std::uint64_t from) {
    Reading reading;
    reading.tool = tool;
    reading.from = from;
    reading.reader = std::make_unique<StreamReader>(
        cluster_, 100 + readings_.size(),
        StreamFilter{tool.empty() ? "task." : "task." + tool + ".", {}, pick(2) == 0});
    reading.reader->stand_at(from);
    reading.reader->connect(1 + pick(4));
    readings_.push_back(std::move(reading));
    return &readings_.back();
  }

  void reconnect() {
    submitter_ = cluster_.connect_client(kSubmitter.routing, "ann");
    WorkerOffer offer = offer_of("a", 4);
    offer.tools.push_back(offer.tools[0]);
    offer.tools[1].name = "b";
    offer.running.assign(running_.begin(), running_.end());
    held_.clear();
    runner_ = cluster_.connect_worker(kRunner.routing, PeerUuid(5, 5), "node", std::move(offer));
    granted_ = 8;
    cluster_.say(kRunner, runner_, Credit{granted_, 1'000'000});
    read_tasks();
  }
  void read_tasks() {
    for (const auto& tasks : cluster_.take_all<Tasks>(kRunner)) {
      for (const auto& item : tasks.items) held_.insert(item.attempt);
    }
  }

  void submit() {
    const TaskIdPrefix prefix{++batches_, 42};
    std::vector<TaskId> ids;
    for (std::uint32_t i = 0; i <= pick(8); ++i) ids.push_back(prefix.id(i));
    cluster_.say(kSubmitter, submitter_, submit_of(spec_of(pick(2) == 0 ? "a" : "b"), ids));
  }
  // More tasks than a message of events may tell, by one record.
  void submit_workflow() {
    SubmitWorkflow part;
    part.id = WorkflowId(9, ++batches_);
    part.specs = {spec_of("a"), spec_of("b")};
    part.total = 256 * (1 + pick(2));
    const TaskIdPrefix prefix{batches_, 43};
    for (std::uint32_t at = 0; at < part.total; at += 256) {
      part.first_index = at;
      part.items.clear();
      for (std::uint32_t i = at; i < at + 256; ++i) {
        part.items.push_back({prefix.id(i), pick(2), Payload("p"), {1, i}});
      }
      part.dependencies.assign(256, Dependencies{});
      cluster_.say(kSubmitter, submitter_, part);
    }
    workflows_.push_back(part.id);
  }
  void start_some() {
    if (held_.empty()) return;
    const AttemptKey key = *held_.begin();
    held_.erase(key);
    if (pick(5) == 0) {
      cluster_.say(kRunner, runner_, Returned{{key}});
    } else {
      running_.insert(key);
      cluster_.say(kRunner, runner_, Started{{{key, 1}}});
    }
    cluster_.say(kRunner, runner_, Credit{++granted_, 1'000'000});
  }
  void end_some() {
    if (running_.empty()) return;
    const AttemptKey key = *running_.begin();
    running_.erase(key);
    Outcome outcome = success();
    if (pick(3) == 0) outcome.state = TaskState::failure;
    cluster_.say(kRunner, runner_, Result{{{key, outcome}}});
  }
  void restart() {
    cluster_.restart();
    reconnect();
    for (auto& reading : readings_) {
      if (pick(3) != 0) reading.reader->connect(1 + pick(4));
    }
  }

  void step() {
    switch (pick(16)) {
      case 0:
      case 1: submit(); break;
      case 2:
      case 3:
      case 4:
      case 5: start_some(); break;
      case 6:
      case 7:
      case 8: end_some(); break;
      case 9: pick(4) == 0 ? submit_workflow() : submit(); break;
      case 10:
        if (pick(4) == 0 && !workflows_.empty()) {
          cluster_.say(
              kSubmitter, submitter_,
              Cancel{{}, {workflows_[pick(static_cast<std::uint32_t>(workflows_.size()))]}, 0});
        }
        break;
      case 11: cluster_.advance(Millis(pick(3000))); break;
      case 12: cluster_.collect_garbage(1000); break;
      case 13: pick(3) == 0 ? restart() : cluster_.commit_history(); break;
      case 14:
        readings_[pick(static_cast<std::uint32_t>(readings_.size()))].reader->connect();
        break;
      case 15:
        readings_[pick(static_cast<std::uint32_t>(readings_.size()))].reader->grant(2);
        break;
      default: break;
    }
    read_tasks();
    note_records();
    read_some();
  }

  void note_records() {
    for (const auto& [lsn, record] : cluster_.journal()) {
      if (lsn <= noted_) continue;
      recorded_.take(lsn.value(), record);
      noted_ = lsn;
    }
  }

  void read(Reading& reading) {
    reading.reader->read();
    for (const auto& event : reading.reader->take_told()) {
      reading.told.emplace_back(event.seq, event.id, event.state);
      ++told_;
    }
    const auto error = reading.reader->take_error();
    if (!error) return;
    ASSERT_EQ(error->code, ErrorCode::gap_too_old) << error->text;
    ++gaps_;
    expect_in_order(reading);
    const SessionId session = cluster_.connect_client(reading.reader->peer().routing, "ann");
    cluster_.say(reading.reader->peer(), session, Snapshot{{"task.", {}, false}, 0});
    const auto snaps = cluster_.take_all<Snap>(reading.reader->peer());
    ASSERT_EQ(snaps.size(), 1U);
    reading.from = snaps[0].seq;
    reading.told.clear();
    reading.reader->stand_at(reading.from);
    reading.reader->connect();
  }
  void read_some() {
    for (auto& reading : readings_) {
      if (pick(3) == 0) read(reading);
    }
  }

  // What was told until now is how the recorded sequence begins.
  void expect_in_order(const Reading& reading) const {
    auto expected = recorded_.after(reading.from, reading.tool);
    ASSERT_GE(expected.size(), reading.told.size());
    expected.resize(reading.told.size());
    ASSERT_EQ(reading.told, expected);
  }

  void settle() {
    note_records();
    for (int round = 0; round < 400; ++round) {
      bool behind = false;
      for (auto& reading : readings_) {
        reading.reader->connect(60);
        read(reading);
        if (::testing::Test::HasFatalFailure()) return;
        note_records();
        const auto expected = recorded_.after(reading.from, reading.tool);
        behind = behind || reading.told.size() < expected.size();
      }
      if (!behind) return;
    }
    ADD_FAILURE() << "a reader never catches up";
  }
  void check() const {
    for (const auto& reading : readings_) {
      EXPECT_EQ(reading.told, recorded_.after(reading.from, reading.tool));
    }
  }

  std::mt19937 random_;
  CoreCluster cluster_;
  SessionId submitter_;
  SessionId runner_;
  std::uint64_t batches_ = 0;
  std::uint64_t granted_ = 0;
  std::set<AttemptKey> held_;
  std::set<AttemptKey> running_;
  std::vector<WorkflowId> workflows_;
  Lsn noted_;
  RecordedChanges recorded_;
  std::vector<Reading> readings_;
  std::size_t gaps_ = 0;
  std::size_t told_ = 0;
};

TEST(EventReplay, EveryReaderIsToldExactlyWhatWasRecorded) {
  std::size_t told = 0;
  for (std::uint32_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ReplayHistory history(seed, limits::kEventRetentionBytes);
    history.run();
    ASSERT_FALSE(HasFailure());
    told += history.told();
  }
  EXPECT_GT(told, 2'000U);
}

TEST(EventReplay, SoItIsWhereLittleIsKept) {
  std::size_t gaps = 0;
  for (std::uint32_t seed = 101; seed <= 115; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ReplayHistory history(seed, limits::kMinEventRetentionBytes);
    history.run();
    ASSERT_FALSE(HasFailure());
    gaps += history.gaps();
  }
  EXPECT_GT(gaps, 5U) << "nothing was overtaken";
}

}  // namespace
}  // namespace taskpipe::broker::testing
