#include "worker/spawner/cgroup_location.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "tests/unit/exec/scratch_folder.hpp"
#include "worker/spawner/cgroup_driver.hpp"

namespace taskpipe::worker {
namespace {

constexpr const char* kHybridCgroup = "4:memory:/jobs/a:b\n1:cpu,cpuacct:/\n0::/user.slice\n";
constexpr const char* kHybridMounts =
    "30 20 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "31 30 0:26 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
    "32 30 0:27 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
    "33 30 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

TEST(CgroupLocation, FindsBothVersionsOfAHybridHost) {
  EXPECT_EQ(own_cgroup_directory(CgroupVersion::v1, "memory", kHybridCgroup, kHybridMounts),
            "/sys/fs/cgroup/memory/jobs/a:b");
  EXPECT_EQ(own_cgroup_directory(CgroupVersion::v1, "cpuacct", kHybridCgroup, kHybridMounts),
            "/sys/fs/cgroup/cpu");
  EXPECT_EQ(own_cgroup_directory(CgroupVersion::v2, "memory", kHybridCgroup, kHybridMounts),
            "/sys/fs/cgroup/unified/user.slice");
}

TEST(CgroupLocation, SeesThroughAMountThatShowsAPart) {
  const char* mounts = "31 30 0:26 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
  EXPECT_EQ(own_cgroup_directory(CgroupVersion::v2, "", "0::/docker/x/y\n", mounts),
            "/sys/fs/cgroup/y");
  EXPECT_EQ(own_cgroup_directory(CgroupVersion::v2, "", "0::/docker/x\n", mounts),
            "/sys/fs/cgroup");
  EXPECT_FALSE(own_cgroup_directory(CgroupVersion::v2, "", "0::/docker/xy\n", mounts));
}

TEST(CgroupLocation, UndoesTheEscapesOfMountinfo) {
  const char* mounts = "31 30 0:26 / /mnt/c\\040group rw - cgroup2 cgroup rw\n";
  EXPECT_EQ(own_cgroup_directory(CgroupVersion::v2, "", "0::/\n", mounts), "/mnt/c group");
}

TEST(CgroupLocation, IsNowhereWithoutMountOrMembership) {
  EXPECT_FALSE(own_cgroup_directory(CgroupVersion::v2, "", "", kHybridMounts));
  EXPECT_FALSE(own_cgroup_directory(CgroupVersion::v2, "", kHybridCgroup, ""));
  EXPECT_FALSE(own_cgroup_directory(CgroupVersion::v1, "pids", kHybridCgroup, kHybridMounts));
  EXPECT_FALSE(own_cgroup_directory(CgroupVersion::v1, "memory", "garbage\n:::\n", "a b c\n"));
}

TEST(ChooseCgroupDriver, FallsBackToTheAddressSpaceLimit) {
  const ScratchFolder proc;
  proc.write("cgroup", "0::/\n");
  proc.write("mountinfo", "");
  CgroupOptions options;
  options.proc_self = proc.path();
  const auto driver = choose_cgroup_driver(options);
  EXPECT_EQ(driver->name(), "RLIMIT_AS");
  EXPECT_TRUE(driver->limits_address_space());
  int error = -1;
  EXPECT_EQ(driver->create(1, 1000, error), nullptr);
  EXPECT_EQ(error, 0);
}

TEST(ChooseCgroupDriver, SaysWhyWhatWasAskedForDoesNotWork) {
  const ScratchFolder proc;
  CgroupOptions options;
  options.proc_self = proc.path();
  options.control = MemoryControl::cgroup_v2;
  EXPECT_THROW(static_cast<void>(choose_cgroup_driver(options)), std::runtime_error);
  options.control = MemoryControl::cgroup_v1;
  options.parent_directory = proc / "no-such-group";
  EXPECT_THROW(static_cast<void>(choose_cgroup_driver(options)), std::runtime_error);
  // A folder that is no cgroup: the trial must clear up after itself.
  options.parent_directory = proc.path();
  EXPECT_THROW(static_cast<void>(choose_cgroup_driver(options)), std::runtime_error);
  EXPECT_TRUE(std::filesystem::is_empty(proc.path()));
}

TEST(ChooseCgroupDriver, CanBeTurnedOff) {
  CgroupOptions options;
  options.control = MemoryControl::none;
  EXPECT_EQ(choose_cgroup_driver(options)->name(), "none");
}

}  // namespace
}  // namespace taskpipe::worker
