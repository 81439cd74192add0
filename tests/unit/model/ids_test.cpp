#include "common/model/ids.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <vector>

#include <gtest/gtest.h>

namespace taskpipe {
namespace {

constexpr std::uint64_t kMax64 = ~std::uint64_t{0};

TEST(StrongId, ConvertsOnlyWhenAsked) {
  static_assert(!std::is_convertible_v<std::uint64_t, Epoch>);
  static_assert(!std::is_convertible_v<Epoch, std::uint64_t>);
  static_assert(!std::is_constructible_v<Epoch, SessionId>);
  static_assert(!std::is_same_v<TaskId, WorkflowId>);
  EXPECT_EQ(Epoch(7).value(), 7U);
  EXPECT_EQ(Epoch().value(), 0U);
}

TEST(StrongId, CountsAndCompares) {
  EXPECT_EQ(Lsn(7).next(), Lsn(8));
  EXPECT_LT(Lsn(7), Lsn(8));
  EXPECT_GE(Attempt(2), Attempt(2));
  EXPECT_NE(std::hash<Lsn>{}(Lsn(1)), std::hash<Lsn>{}(Lsn(2)));
}

TEST(UniqueId, HexRoundTrips) {
  for (const auto& id : {TaskId(), TaskId(0, 1), TaskId(1, 0), TaskId(kMax64, kMax64),
                         TaskId(0x0123456789abcdefULL, 0xfedcba9876543210ULL)}) {
    EXPECT_EQ(id.to_string().size(), 32U);
    EXPECT_EQ(TaskId::parse(id.to_string()), id);
  }
  EXPECT_EQ(TaskId(0x0123456789abcdefULL, 0xfedcba9876543210ULL).to_string(),
            "0123456789abcdeffedcba9876543210");
}

TEST(UniqueId, ReadsUpperCase) {
  EXPECT_EQ(TaskId::parse("0123456789ABCDEFfedcba9876543210"),
            TaskId(0x0123456789abcdefULL, 0xfedcba9876543210ULL));
}

TEST(UniqueId, RefusesWhatIsNoId) {
  const std::string good(32, 'a');
  for (const std::string& text :
       {std::string(), std::string("0"), good.substr(1), good + "a", std::string(31, 'a') + "g",
        " " + good.substr(1), std::string(31, 'a') + " ", "0x" + good.substr(2),
        std::string(32, '-'), std::string(31, 'a') + "\0", std::string(32, '\0'),
        std::string(32, '\xFF'), std::string(31, 'a') + "/", std::string(31, 'a') + ":",
        std::string(31, 'a') + "@", std::string(31, 'a') + "`", std::string(31, 'a') + "G"}) {
    EXPECT_EQ(TaskId::parse(text), std::nullopt) << text;
  }
}

TEST(UniqueId, BytesAreBigEndian) {
  const TaskId id(0x0102030405060708ULL, 0x090a0b0c0d0e0f10ULL);
  const auto bytes = id.bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(std::to_integer<std::size_t>(bytes[i]), i + 1);
  }
  EXPECT_EQ(TaskId::from_bytes(bytes), id);
  EXPECT_EQ(TaskId::from_bytes(TaskId(kMax64, 0).bytes()), TaskId(kMax64, 0));
}

TEST(UniqueId, OrderIsThatOfItsBytes) {
  EXPECT_LT(TaskId(1, kMax64), TaskId(2, 0));
  EXPECT_LT(TaskId(1, 1), TaskId(1, 2));
  EXPECT_LT(TaskId(1, 1).bytes(), TaskId(1, 2).bytes());
}

TEST(UniqueId, NilIsAllZero) {
  EXPECT_TRUE(TaskId().is_nil());
  EXPECT_FALSE(TaskId(0, 1).is_nil());
  EXPECT_FALSE(TaskId(1, 0).is_nil());
}

TEST(UniqueId, HashesOfABatchSpread) {
  const TaskIdPrefix prefix{1'769'860'800'123, 0x123456789abc};
  std::unordered_set<std::size_t> low_bits;
  for (std::uint32_t i = 0; i < 1024; ++i) {
    low_bits.insert(std::hash<TaskId>{}(prefix.id(i)) & 0xFFFU);
  }
  // 1024 balls in 4096 boxes leave about 906 boxes with some; a weak hash leaves far fewer.
  EXPECT_GT(low_bits.size(), 800U);
}

TEST(TaskIdPrefix, LaysOutTimeRandomAndIndex) {
  const TaskIdPrefix prefix{0x0123456789ab, 0xcdef01234567};
  EXPECT_EQ(prefix.id(0x89abcdefU).to_string(), "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(unix_ms_of(prefix.id(0)), 0x0123456789abU);
}

TEST(TaskIdPrefix, IgnoresBitsThatDoNotFit) {
  const TaskIdPrefix prefix{kMax64, kMax64};
  EXPECT_EQ(prefix.id(0).to_string(), "ffffffffffffffffffffffff00000000");
  EXPECT_EQ((TaskIdPrefix{0, kMax64}).id(0).high(), 0xFFFFU);
  EXPECT_EQ((TaskIdPrefix{kMax64, 0}).id(0).low(), 0U);
}

TEST(TaskIdPrefix, IndexCountsWithoutCarry) {
  const TaskIdPrefix prefix{1, 2};
  const TaskId last = prefix.id(0xFFFFFFFFU);
  EXPECT_EQ(last.high(), prefix.id(0).high());
  EXPECT_EQ(last.low() >> 32U, prefix.id(0).low() >> 32U);
  EXPECT_LT(prefix.id(5), prefix.id(6));
}

TEST(AttemptKey, ComparesEveryPart) {
  const AttemptKey key{TaskId(1, 1), Epoch(1), Attempt(1)};
  EXPECT_EQ(key, key);
  EXPECT_NE(key, (AttemptKey{TaskId(1, 2), Epoch(1), Attempt(1)}));
  EXPECT_NE(key, (AttemptKey{TaskId(1, 1), Epoch(2), Attempt(1)}));
  EXPECT_NE(key, (AttemptKey{TaskId(1, 1), Epoch(1), Attempt(2)}));
  EXPECT_NE(std::hash<AttemptKey>{}(key),
            std::hash<AttemptKey>{}({TaskId(1, 1), Epoch(1), Attempt(2)}));
}

// Into a table whose size is a power of two, half filled. By chance 39 % of its places are met.
double share_of_places_met(const std::vector<TaskId>& ids) {
  std::size_t places = 1;
  while (places < 2 * ids.size()) places *= 2;
  std::set<std::size_t> met;
  for (const TaskId& id : ids) met.insert(std::hash<TaskId>{}(id) & (places - 1));
  return static_cast<double>(met.size()) / static_cast<double>(places);
}

TEST(HashOfIds, SpreadsSingleTasksAndBatches) {
  constexpr std::size_t kIds = 32'768;
  for (const std::uint32_t batch : {1U, 3U, 16U, 1000U}) {
    std::vector<TaskId> ids;
    std::mt19937_64 random(batch);
    while (ids.size() < kIds) {
      const TaskIdPrefix prefix{1'790'000'000'000 + ids.size() / 50, random()};
      for (std::uint32_t i = 0; i < batch && ids.size() < kIds; ++i) ids.push_back(prefix.id(i));
    }
    EXPECT_GT(share_of_places_met(ids), 0.35) << "in batches of " << batch;
  }
}

TEST(HashOfIds, KeepsNeighboursTogether) {
  const TaskIdPrefix prefix{1'790'000'000'000, 12345};
  for (std::uint32_t i = 0; i < 16; ++i) {
    EXPECT_EQ(std::hash<TaskId>{}(prefix.id(i)) >> 4U, std::hash<TaskId>{}(prefix.id(0)) >> 4U);
  }
}

}  // namespace
}  // namespace taskpipe
