#include "common/model/resources.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace taskpipe {
namespace {

constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();

Resources node() { return {8, 2, 1000, {{"license", 3}, {"scratch", 100}}}; }

TEST(Normalize, SortsMergesAndDropsZeros) {
  Resources resources{1, 0, 0, {{"b", 2}, {"a", 1}, {"z", 0}, {"b", 3}}};
  normalize(resources);
  EXPECT_EQ(resources, (Resources{1, 0, 0, {{"a", 1}, {"b", 5}}}));
  normalize(resources);
  EXPECT_EQ(resources, (Resources{1, 0, 0, {{"a", 1}, {"b", 5}}}));
}

TEST(Normalize, NeverWraps) {
  Resources resources{
      0, 0, 0, {{"a", kMost}, {"a", 1}, {"b", kMost / 2 + 1}, {"b", kMost / 2 + 1}}};
  normalize(resources);
  EXPECT_EQ(resources.named, (std::vector<NamedResource>{{"a", kMost}, {"b", kMost}}));
}

TEST(Normalize, NothingStaysNothing) {
  Resources resources;
  normalize(resources);
  EXPECT_EQ(resources, Resources{});
}

TEST(Fits, ComparesEveryAmount) {
  EXPECT_TRUE(fits({}, {}));
  EXPECT_TRUE(fits(node(), node()));
  EXPECT_TRUE(fits({}, node()));
  EXPECT_FALSE(fits(node(), {}));
}

TEST(FirstShortage, NamesWhatIsMissing) {
  const auto shortage = [](auto change) {
    Resources need = node();
    change(need);
    return std::string(first_shortage(need, node()));
  };
  EXPECT_EQ(shortage([](auto&) {}), "");
  EXPECT_EQ(shortage([](auto& need) { need.cpus = 9; }), "cpus");
  EXPECT_EQ(shortage([](auto& need) { need.gpus = 3; }), "gpus");
  EXPECT_EQ(shortage([](auto& need) { need.memory_bytes = 1001; }), "memory_bytes");
  EXPECT_EQ(shortage([](auto& need) { need.named[1].amount = 101; }), "scratch");
  EXPECT_EQ(shortage([](auto& need) { need.named[0].name = "fpga"; }), "fpga");
  EXPECT_EQ(shortage([](auto& need) { need.named.push_back({"zzz", 1}); }), "zzz");
}

TEST(SubtractAndAdd, AreEachOthersInverse) {
  const Resources need{3, 1, 400, {{"scratch", 60}}};
  Resources free = node();
  subtract(free, need);
  EXPECT_EQ(free, (Resources{5, 1, 600, {{"license", 3}, {"scratch", 40}}}));
  EXPECT_FALSE(fits({0, 0, 0, {{"scratch", 41}}}, free));
  add(free, {3, 1, 400, {{"scratch", 60}}});
  EXPECT_EQ(free, node());
}

TEST(SubtractAndAdd, DownToNothingAndBack) {
  Resources free = node();
  subtract(free, node());
  EXPECT_EQ(free, (Resources{0, 0, 0, {{"license", 0}, {"scratch", 0}}}));
  EXPECT_TRUE(fits({}, free));
  add(free, node());
  EXPECT_EQ(free, node());
}

TEST(SubtractAndAdd, BeyondWhatIsThereIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Resources free = node();
  EXPECT_DEATH(subtract(free, {9, 0, 0, {}}), "fits");
  EXPECT_DEATH(subtract(free, {0, 0, 0, {{"license", 4}}}), "fits");
  EXPECT_DEATH(add(free, {0, 0, 0, {{"unheard", 1}}}), "have");
}

}  // namespace
}  // namespace taskpipe
