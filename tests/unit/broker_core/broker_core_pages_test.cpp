// Lists of tools and workers come in pages that fit a message, whatever there is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

class BrokerCorePagesTest : public BrokerCoreTest {
 protected:
  void meet_worker(std::uint32_t i, const WorkerOffer& offer) {
    cluster_.connect_worker(1000 + i, PeerUuid(9, i + 1), "w" + std::to_string(i), offer);
    cluster_.take(Peer{Port::worker, 1000 + i});
  }
  // Every page, until there is none.
  std::vector<WorkersReply> worker_pages() {
    std::vector<WorkersReply> pages;
    WorkersRequest request;
    do {
      cluster_.say(kClient, client_, request);
      auto replies = cluster_.take_all<WorkersReply>(kClient);
      EXPECT_EQ(replies.size(), 1U);
      if (replies.size() != 1) return pages;
      request.cursor = replies[0].next;
      pages.push_back(std::move(replies[0]));
    } while (!request.cursor.empty() && pages.size() < 100);
    return pages;
  }
  std::vector<ToolsReply> tool_pages() {
    std::vector<ToolsReply> pages;
    ToolsRequest request;
    do {
      cluster_.say(kClient, client_, request);
      auto replies = cluster_.take_all<ToolsReply>(kClient);
      EXPECT_EQ(replies.size(), 1U);
      if (replies.size() != 1) return pages;
      request.cursor = replies[0].next;
      pages.push_back(std::move(replies[0]));
    } while (!request.cursor.empty() && pages.size() < 100);
    return pages;
  }
};

TEST_F(BrokerCorePagesTest, ManyWorkersAreListedOnceEach) {
  connect(1);
  constexpr std::uint32_t kWorkers = limits::kMaxQueryRows + 50;
  for (std::uint32_t i = 0; i < kWorkers; ++i) meet_worker(i, offer_of("tool", 1));
  const auto pages = worker_pages();
  ASSERT_EQ(pages.size(), 2U);
  EXPECT_EQ(pages[0].workers.size(), limits::kMaxQueryRows);
  std::set<PeerUuid> seen;
  for (const auto& page : pages) {
    for (const auto& row : page.workers) EXPECT_TRUE(seen.insert(row.uuid).second);
  }
  EXPECT_EQ(seen.size(), kWorkers + 1);
}

TEST_F(BrokerCorePagesTest, APageOfLargeRowsStaysFarBelowAFrame) {
  connect(1);
  WorkerOffer offer = offer_of("tool", 1);
  for (std::size_t i = 0; i < limits::kMaxLabels; ++i) {
    offer.labels.push_back({std::to_string(100 + i), std::string(limits::kMaxTextBytes, 'v')});
  }
  constexpr std::uint32_t kWorkers = 60;  // of 64 KiB each
  for (std::uint32_t i = 0; i < kWorkers; ++i) meet_worker(i, offer);
  std::size_t rows = 0;
  for (const auto& page : worker_pages()) {
    std::size_t bytes = 0;
    for (const auto& row : page.workers) {
      for (const auto& label : row.labels) bytes += label.key.size() + label.value.size();
    }
    EXPECT_LE(bytes, limits::kMaxListBytes);
    rows += page.workers.size();
  }
  EXPECT_EQ(rows, kWorkers + 1);
}

TEST_F(BrokerCorePagesTest, WorkersThatComeAndGoBetweenPagesMakeNoneRepeat) {
  connect(1);
  for (std::uint32_t i = 0; i < limits::kMaxQueryRows + 10; ++i) {
    meet_worker(i, offer_of("tool", 1));
  }
  cluster_.say(kClient, client_, WorkersRequest{});
  const auto first = cluster_.take_all<WorkersReply>(kClient).at(0);
  cluster_.apply(command::PeerUnreachable{{Port::worker, 1000}});
  meet_worker(5000, offer_of("tool", 1));
  cluster_.say(kClient, client_, WorkersRequest{first.next});
  const auto second = cluster_.take_all<WorkersReply>(kClient).at(0);
  EXPECT_EQ(second.workers.size(), 12U);
  EXPECT_EQ(second.workers.back().name, "w5000");
}

TEST_F(BrokerCorePagesTest, AnyCursorIsAnswered) {
  connect(1);
  for (const char* cursor : {"", "x", "-1", "99999999999999999999", "4294967295"}) {
    cluster_.say(kClient, client_, WorkersRequest{cursor});
    EXPECT_EQ(cluster_.take_all<WorkersReply>(kClient).size(), 1U) << cursor;
    cluster_.say(kClient, client_, ToolsRequest{cursor});
    EXPECT_EQ(cluster_.take_all<ToolsReply>(kClient).size(), 1U) << cursor;
  }
}

TEST_F(BrokerCorePagesTest, ManyToolsAreListedByNameOnceEach) {
  connect(1);
  for (std::uint32_t w = 0; w < 2; ++w) {
    WorkerOffer offer = offer_of("tool", 1);
    for (std::size_t i = 0; i < limits::kMaxToolsPerWorker - 1; ++i) {
      ToolOffer tool;
      tool.name = "t" + std::to_string(w) + "-" + std::to_string(i);
      offer.tools.push_back(std::move(tool));
    }
    meet_worker(w, offer);
  }
  std::vector<std::string> names;
  const auto pages = tool_pages();
  EXPECT_EQ(pages.size(), 3U);
  for (const auto& page : pages) {
    for (const auto& row : page.tools) names.push_back(row.offer.name);
  }
  EXPECT_EQ(names.size(), 2 * (limits::kMaxToolsPerWorker - 1) + 1);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST_F(BrokerCorePagesTest, ToolsWithManyScriptsComeInSeveralPages) {
  connect(1);
  WorkerOffer offer = offer_of("tool", 1);
  for (int i = 0; i < 8; ++i) {
    ToolOffer tool;
    tool.name = "t" + std::to_string(i);
    for (std::size_t s = 0; s < limits::kMaxScriptsPerTool; ++s) {
      tool.scripts.push_back({std::to_string(s) + std::string(500, 's'), std::string(64, 'a')});
    }
    offer.tools.push_back(std::move(tool));
  }
  meet_worker(0, offer);
  const auto pages = tool_pages();
  EXPECT_EQ(pages.size(), 8U);
  std::size_t scripts = 0;
  for (const auto& page : pages) {
    for (const auto& row : page.tools) scripts += row.offer.scripts.size();
  }
  EXPECT_EQ(scripts, 8 * limits::kMaxScriptsPerTool);
}

}  // namespace
}  // namespace taskpipe::broker::testing
