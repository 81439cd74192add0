// What carrying forward writes: everything that lives, and what tasks share only once.
#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

constexpr std::size_t kScript = 100'000;

TaskSpecPtr with_script(char letter) {
  TaskSpec spec = *spec_of("tool");
  spec.script = "made.py";
  spec.inline_script = Payload(std::string(kScript, letter));
  return std::make_shared<const TaskSpec>(std::move(spec));
}

class ImagesTest : public BrokerCoreTest {
 protected:
  template <class R>
  std::vector<R> in_journal() {
    std::vector<R> found;
    for (const auto& [lsn, record] : cluster_.journal()) {
      if (const auto* wanted = std::get_if<R>(&record)) found.push_back(*wanted);
    }
    return found;
  }
  std::uint64_t scripts_in_journal() {
    std::uint64_t bytes = 0;
    for (const auto& kept : in_journal<record::SpecKept>())
      bytes += kept.spec->inline_script.size();
    for (const auto& submitted : in_journal<record::TasksSubmitted>()) {
      for (const auto& spec : submitted.specs) bytes += spec->inline_script.size();
    }
    return bytes;
  }
  // Until nothing of what is there now is left.
  void turn_the_journal_over() {
    const Lsn last = cluster_.core().last_lsn();
    for (int round = 0; round < 100 && cluster_.journal().front().first <= last; ++round) {
      cluster_.collect_garbage(7);
    }
    ASSERT_GT(cluster_.journal().front().first, last);
  }
  void connect() {
    client_ = cluster_.connect_client(kClient.routing, "ann");
    WorkerOffer offer = offer_of("tool", 1);
    offer.tools[0].inline_scripts = true;
    worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", std::move(offer));
    cluster_.say(kWorker, worker_, Credit{1000, 1'000'000'000});
  }
  void accept(const TaskSpecPtr& spec, const std::vector<TaskId>& ids) {
    for (const auto& item : submit(spec, ids).items) ASSERT_EQ(item.code, ErrorCode::ok);
    ASSERT_FALSE(cluster_.core().tasks_held() == 0);
  }
};

TEST_F(ImagesTest, AScriptThatTasksShareIsCarriedForwardOnce) {
  std::vector<TaskId> ids;
  for (std::uint32_t i = 0; i < 50; ++i) ids.push_back(id(i));
  connect();
  accept(with_script('a'), ids);
  EXPECT_LT(cluster_.core().live_bytes(), 2 * kScript);
  for (int round = 0; round < 3; ++round) {
    turn_the_journal_over();
    std::set<TaskId> images;  // of some there are two: one that went with its specification
    for (const auto& image : in_journal<record::TaskImage>()) images.insert(image.id);
    EXPECT_EQ(images.size(), ids.size());
    EXPECT_LE(scripts_in_journal(), 2 * kScript);
    cluster_.restart();
    connect();
    EXPECT_LT(cluster_.core().live_bytes(), 2 * kScript);
    EXPECT_LT(cluster_.core().memory_bytes(), 2 * kScript);
    EXPECT_FALSE(cluster_.core().replay_problem());
  }
}

TEST_F(ImagesTest, EveryTaskKeepsItsOwnSpec) {
  connect();
  std::vector<std::pair<TaskId, TaskSpecPtr>> submitted;
  for (std::uint32_t i = 0; i < 20; ++i) {
    const auto spec = with_script(static_cast<char>('a' + i % 3));
    submitted.emplace_back(id(i), spec);
    accept(spec, {id(i)});
  }
  turn_the_journal_over();
  cluster_.restart();
  turn_the_journal_over();
  cluster_.restart();
  client_ = cluster_.connect_client(kClient.routing, "ann");
  for (const auto& [task, spec] : submitted) {  // another spec would be an ID_CONFLICT
    cluster_.say(kClient, client_, submit_of(spec, {task}), true);
    const auto acks = cluster_.take_all<SubmitAck>(kClient);
    ASSERT_EQ(acks.size(), 1U);
    EXPECT_EQ(acks[0].items.at(0).code, ErrorCode::ok);
  }
  EXPECT_EQ(cluster_.core().tasks_held(), submitted.size());
}

TEST_F(ImagesTest, ASpecGoesWithTheLastImageThatNamesIt) {
  connect();
  accept(with_script('a'), {id(0), id(1)});
  accept(spec_of("tool"), {id(2)});
  turn_the_journal_over();
  const std::uint64_t with_the_script = cluster_.core().memory_bytes();
  finish(given().at(0));
  finish(given().at(0));
  cluster_.commit_history();
  turn_the_journal_over();
  turn_the_journal_over();
  EXPECT_EQ(scripts_in_journal(), 0U);
  EXPECT_LT(cluster_.core().memory_bytes() + kScript, with_the_script);
  cluster_.restart();
  EXPECT_EQ(cluster_.core().tasks_held(), 1U);
  EXPECT_FALSE(cluster_.core().replay_problem());
}

TEST_F(ImagesTest, ImagesOfOlderReleasesAreRead) {
  BrokerCore core{BrokerConfig{}};
  record::TaskImage image;
  image.id = id(0);
  image.owner = "ann";
  image.arrival = Arrival(1);
  core.replay(record::TaskImageWithSpec{image, with_script('a')}, Lsn(1));
  EXPECT_EQ(core.tasks_held(), 1U);
  EXPECT_FALSE(core.replay_problem());
}

TEST_F(ImagesTest, AnImageWhoseSpecIsMissingIsNoSilentLoss) {
  BrokerCore core{BrokerConfig{}};
  record::TaskImage image;
  image.id = id(0);
  image.spec = SpecNumber(7);
  core.replay(image, Lsn(1));
  EXPECT_FALSE(core.replay_problem()) << "as far as can be known, it is superseded";
  core.replay(record::SpecKept{SpecNumber(6), spec_of("tool")}, Lsn(2));
  core.replay(image, Lsn(3));
  ASSERT_TRUE(core.replay_problem());
  EXPECT_THAT(*core.replay_problem(), ::testing::HasSubstr(id(0).to_string()));
}

}  // namespace
}  // namespace taskpipe::broker::testing
