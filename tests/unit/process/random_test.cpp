#include "common/process/random.hpp"

#include <array>
#include <cstddef>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace taskpipe::process {
namespace {

TEST(Random, FillsEveryByte) {
  // A byte that stays zero in 20 rounds was not filled (chance: 256^-20 for each).
  std::array<std::byte, 300> seen{};
  for (int round = 0; round < 20; ++round) {
    std::array<std::byte, 300> bytes{};
    fill_random(bytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) seen[i] |= bytes[i];
  }
  for (const std::byte byte : seen) EXPECT_NE(byte, std::byte{0});
}

TEST(Random, FillsMoreThanTheKernelGivesAtOnce) {
  std::vector<std::byte> bytes(std::size_t{40} << 20U);  // a call ends at 32 MiB - 1
  fill_random(bytes);
  bool tail_is_zero = true;
  for (std::size_t i = bytes.size() - 64; i < bytes.size(); ++i) {
    tail_is_zero = tail_is_zero && bytes[i] == std::byte{0};
  }
  EXPECT_FALSE(tail_is_zero);
}

TEST(Random, NothingToFillIsFine) { fill_random({}); }

TEST(Random, UniqueIdsDiffer) {
  std::set<PeerUuid> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(new_unique_id<PeerUuid>());
  EXPECT_EQ(ids.size(), 1000U);
  EXPECT_FALSE(ids.contains(PeerUuid{}));
}

TEST(Random, TaskIdPrefixCarriesTheTime) {
  const TaskIdPrefix prefix = new_task_id_prefix(WallTime{1'769'860'800'123});
  EXPECT_EQ(unix_ms_of(prefix.id(7)), 1'769'860'800'123U);
  EXPECT_NE(prefix.id(0), new_task_id_prefix(WallTime{1'769'860'800'123}).id(0));
}

}  // namespace
}  // namespace taskpipe::process
