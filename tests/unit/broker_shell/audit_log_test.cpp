// What the audit log does where there is more to write than is wise, or nowhere to write it.
#include "broker/shell/audit_log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>

#include "broker/shell/minute_budget.hpp"
#include "common/model/limits.hpp"
#include "tests/support/temporary_folder.hpp"

namespace taskpipe::broker {
namespace {

using namespace std::chrono_literals;
using Folder = taskpipe::testing::TemporaryFolder;

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// The number behind `"event":"lines_dropped"`, of all such lines together.
std::uint64_t dropped_in(const std::string& text) {
  const std::string mark = R"("event":"lines_dropped","count":")";
  std::uint64_t sum = 0;
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
    sum += std::stoull(text.substr(at + mark.size()));
  }
  return sum;
}

bool soon(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

TEST(AuditLog, WhatTheDiskDoesNotTakeInTimeIsDroppedAndCounted) {
  const Folder folder;
  const auto path = folder.path() / "audit.log";
  process::Logger logger({.program = "test", .file = (folder.path() / "log").string()});
  // A pipe that nobody reads is a disk that stands still.
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  // One batch is being written while as many lines wait: no more are kept.
  constexpr std::size_t kLines = 2 * limits::kMaxUnwrittenAudits + 10'000;
  auto log = std::make_unique<AuditLog>(path.string(), logger);
  for (std::size_t i = 0; i < kLines; ++i) log->write("knock", {});
  std::string text;
  std::atomic<bool> over = false;
  std::thread reads([&] {
    std::array<char, 65'536> buffer{};
    for (;;) {
      const bool last = over.load();
      const auto count = ::read(reader, buffer.data(), buffer.size());
      if (count > 0) {
        text.append(buffer.data(), static_cast<std::size_t>(count));
      } else if (last) {
        return;
      }
    }
  });
  log.reset();  // writes what is left
  over = true;
  reads.join();
  ::close(reader);
  EXPECT_GE(dropped_in(text), 10'000U);
  EXPECT_EQ(count_of(text, R"("event":"knock")") + dropped_in(text), kLines);
}

TEST(AuditLog, LinesThatCannotBeWrittenAreToldOnceAndCounted) {
  const Folder folder;
  const auto place = folder.path() / "audit";
  const auto log_path = folder.path() / "log";
  std::filesystem::create_directory(place);
  process::Logger logger({.program = "test", .file = log_path.string()});
  AuditLog log((place / "audit.log").string(), logger);
  std::filesystem::remove_all(place);
  for (int i = 0; i < 3; ++i) {
    log.write("lost", {});
    // Each in a batch of its own, as far as the writer keeps up.
    ASSERT_TRUE(
        soon([&] { return content_of(log_path).find("cannot be written") != std::string::npos; }));
  }
  std::filesystem::create_directory(place);
  log.write("kept", {});
  ASSERT_TRUE(
      soon([&] { return content_of(place / "audit.log").find("kept") != std::string::npos; }));
  log.write("kept", {});
  ASSERT_TRUE(soon([&] { return count_of(content_of(place / "audit.log"), "kept") == 2; }));
  const std::string text = content_of(place / "audit.log");
  EXPECT_EQ(dropped_in(text) + count_of(text, "lost"), 3U) << text;
  EXPECT_GE(dropped_in(text), 1U);
  EXPECT_EQ(count_of(content_of(log_path), "cannot be written"), 1U);
}

TEST(AuditLog, AFileThatCannotBeWrittenIsRefusedAtTheStart) {
  const Folder folder;
  process::Logger logger({.program = "test", .file = (folder.path() / "log").string()});
  EXPECT_THROW(AuditLog((folder.path() / "no/such/folder").string(), logger), std::runtime_error);
}

TEST(MinuteBudget, SoManyAreWrittenAndTheRestIsCounted) {
  MinuteBudget budget;
  MonotonicTime now{};
  for (std::uint32_t i = 0; i < limits::kMaxAuditedPerMinute; ++i) {
    const auto decision = budget.take(now);
    ASSERT_TRUE(decision.write);
    ASSERT_EQ(decision.unwritten, 0U);
    now = now + 1ms;
  }
  for (int i = 0; i < 7; ++i) {
    const auto decision = budget.take(now);
    EXPECT_FALSE(decision.write);
    EXPECT_EQ(decision.unwritten, 0U);
  }
  now = now + 59s;
  EXPECT_FALSE(budget.take(now).write);
  now = now + 1s;
  const auto next = budget.take(now);
  EXPECT_TRUE(next.write);
  EXPECT_EQ(next.unwritten, 8U);
  EXPECT_EQ(budget.take(now).unwritten, 0U) << "is told once";
}

}  // namespace
}  // namespace taskpipe::broker
