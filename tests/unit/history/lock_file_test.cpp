#include "broker/history/lock_file.hpp"

#include <unistd.h>

#include <optional>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_folder.hpp"

namespace taskpipe::broker {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(LockFile, KeepsASecondOneOutAndNamesTheHolder) {
  const taskpipe::testing::TemporaryFolder folder;
  const auto path = folder / "history.db.lock";
  std::optional<LockFile> first(path);
  EXPECT_THAT([&] { LockFile second(path); },
              ThrowsMessage<std::runtime_error>(
                  AllOf(HasSubstr(path.string()), HasSubstr("another broker"),
                        HasSubstr("(pid " + std::to_string(::getpid()) + ")"))));
  first.reset();
  EXPECT_NO_THROW(LockFile third(path));
}

TEST(LockFile, NamesAFolderThatIsMissing) {
  const taskpipe::testing::TemporaryFolder folder;
  EXPECT_THAT([&] { LockFile lock(folder / "no/such.lock"); },
              ThrowsMessage<std::runtime_error>(
                  AllOf(HasSubstr("no/such.lock"), HasSubstr("No such file"))));
}

}  // namespace
}  // namespace taskpipe::broker
