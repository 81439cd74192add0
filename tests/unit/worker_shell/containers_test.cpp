#include "worker/shell/containers.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_folder.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class Containers : public ::testing::Test {
 protected:
  // A life of the worker in that folder.
  WorkerIdentity claim() const {
    auto identity = WorkerIdentity::claim(work_dir_);
    if (!identity) throw std::runtime_error(identity.error().text);
    return std::move(*identity);
  }
  void write(const fs::path& file, const std::string& text) const {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
    fs::permissions(file, fs::perms::owner_all);
  }
  [[nodiscard]] static std::string read(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // What is logged by a start of this worker with the tools of the folder `tools`.
  [[nodiscard]] std::string log_of_start() const {
    const fs::path file = folder_ / "log";
    fs::remove(file);
    process::Logger logger({"worker", process::LogLevel::info, process::LogFormat::text, file});
    const auto identity = claim();
    const Environment environment{{"PATH", (folder_ / "bin").string()}};
    const auto unswept = remove_old_containers(environment, identity, logger);
    tell_unswept(unswept, ToolRegistry::load({folder_ / "tools"}, environment), logger);
    return read(file);
  }

  taskpipe::testing::TemporaryFolder folder_;
  fs::path work_dir_ = folder_ / "worker";
};

TEST_F(Containers, NoToolMayMountTheWorkFolderHoweverItIsNamed) {
  const auto identity = claim();
  const std::string real = fs::canonical(work_dir_).string();
  const fs::path link = folder_ / "link";
  fs::create_directory_symlink(work_dir_, link);
  WorkerOptions options;
  for (const fs::path& name : {work_dir_, work_dir_ / "", link, link / "", work_dir_ / "../link"}) {
    options.work_dir = name;
    EXPECT_THAT(container_host(options, identity).private_folders, ElementsAre(real)) << name;
  }
}

TEST_F(Containers, OldOnesAreRemovedWithoutAToolThatIsOffered) {
  write(folder_ / "bin/docker",
        "#!/bin/sh\necho \"$*\" >> ${0%/*}/calls\n"
        "[ $1 != ps ] || echo 0123456789ab\n");
  fs::create_directories(folder_ / "tools");
  EXPECT_THAT(log_of_start(), Not(HasSubstr("old containers")));
  EXPECT_FALSE(fs::exists(folder_ / "bin/calls"));  // nobody had its label before the first life
  EXPECT_THAT(log_of_start(), HasSubstr("removed old containers"));
  EXPECT_THAT(read(folder_ / "bin/calls"), HasSubstr("rm -f -v 0123456789ab\n"));
}

TEST_F(Containers, ARuntimeWithoutADaemonIsToldOnlyWhereAManifestNamesIt) {
  write(folder_ / "bin/docker", "#!/bin/sh\necho 'Cannot connect to the daemon' >&2; exit 1\n");
  fs::create_directories(folder_ / "tools");
  (void)log_of_start();
  EXPECT_THAT(log_of_start(), Not(HasSubstr("old containers")));
  const auto manifest = [this](const std::string& runtime) {
    write(folder_ / "tools/heat.toml",
          "name = 'heat'\n[command]\nargv = ['heat']\n[container]\nimage = 'x'\nruntime = '" +
              runtime + "'\n");
  };
  manifest("podman");
  EXPECT_THAT(log_of_start(), Not(HasSubstr("old containers")));
  for (const char* runtime : {"docker", "auto"}) {
    manifest(runtime);
    EXPECT_THAT(log_of_start(), ::testing::AllOf(HasSubstr("cannot look for old containers"),
                                                 HasSubstr("Cannot connect to the daemon")))
        << runtime;
  }
}

TEST_F(Containers, ARemovalThatFailsIsAlwaysTold) {
  write(folder_ / "bin/podman",
        "#!/bin/sh\n[ $1 = ps ] && echo 0123456789ab && exit 0\n"
        "echo 'it is stuck' >&2; exit 1\n");
  fs::create_directories(folder_ / "tools");
  (void)log_of_start();
  EXPECT_THAT(log_of_start(), ::testing::AllOf(HasSubstr("cannot remove old containers"),
                                               HasSubstr("it is stuck")));
}

}  // namespace
}  // namespace taskpipe::worker
