#include "common/process/host_memory.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temporary_folder.hpp"

namespace taskpipe::process {
namespace {

class CgroupMemory : public ::testing::Test {
 protected:
  void limit(const std::string& group, const std::string& text) {
    const auto path = folder_.path() / group;
    std::filesystem::create_directories(path);
    std::ofstream(path / "memory.max") << text << '\n';
  }
  [[nodiscard]] std::uint64_t least(const std::string& group) const {
    return cgroup_memory_limit(folder_.path().string(), group, 1000);
  }

  taskpipe::testing::TemporaryFolder folder_;
};

TEST_F(CgroupMemory, TheLeastLimitOnTheWayUpCounts) {
  limit("a/b/c", "max");
  limit("a/b", "300");
  limit("a", "500");
  EXPECT_EQ(least("/a/b/c"), 300U);
  EXPECT_EQ(least("/a"), 500U);
}

TEST_F(CgroupMemory, WithoutLimitsAllCounts) {
  limit("a", "max");
  EXPECT_EQ(least("/a"), 1000U);
  EXPECT_EQ(least("/gone/for/good"), 1000U);
  EXPECT_EQ(least(""), 1000U);
}

TEST_F(CgroupMemory, TheRootOfAContainerCounts) {
  limit("", "200");
  EXPECT_EQ(least("/"), 200U);
  EXPECT_EQ(least("/somewhere/else"), 200U);
}

TEST(HostMemory, ThisHostHasSome) { EXPECT_GT(usable_memory_bytes(), 0U); }

}  // namespace
}  // namespace taskpipe::process
