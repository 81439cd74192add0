#include "client/cli/console.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ostream>
#include <string>

#include <gtest/gtest.h>

namespace taskpipe::cli {
namespace {

// Sets variables of the environment and restores them.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    const char* before = std::getenv(name);
    if (before != nullptr) before_ = before;
    had_ = before != nullptr;
    if (value == nullptr) {
      ::unsetenv(name);
    } else {
      ::setenv(name, value, 1);
    }
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() {
    if (had_) {
      ::setenv(name_, before_.c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::string before_;
  bool had_ = false;
};

TEST(WantsColours, OnATerminalWithoutNoColor) {
  const Variable term("TERM", "xterm");
  const Variable no_color("NO_COLOR", nullptr);
  EXPECT_TRUE(wants_colours("auto", true));
  EXPECT_FALSE(wants_colours("auto", false));
  EXPECT_TRUE(wants_colours("always", false));
  EXPECT_FALSE(wants_colours("never", true));
  {
    const Variable set("NO_COLOR", "1");
    EXPECT_FALSE(wants_colours("auto", true));
    EXPECT_TRUE(wants_colours("always", true));
  }
  const Variable dumb("TERM", "dumb");
  EXPECT_FALSE(wants_colours("auto", true));
}

TEST(LocaleIsUtf8, TheStrongestVariableDecides) {
  const Variable all("LC_ALL", nullptr);
  const Variable type("LC_CTYPE", nullptr);
  const Variable lang("LANG", "en_GB.utf8");
  EXPECT_TRUE(locale_is_utf8());
  {
    const Variable c("LC_ALL", "C");
    EXPECT_FALSE(locale_is_utf8());
  }
  const Variable none("LANG", nullptr);
  EXPECT_FALSE(locale_is_utf8());
}

TEST(TerminalSizeOf, HasADefaultWhereThereIsNoTerminal) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  EXPECT_EQ(terminal_size_of(ends[1]).columns, 80U);
  EXPECT_EQ(terminal_size_of(ends[1]).rows, 24U);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(DescriptorBuffer, WritesEverythingInOrder) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const std::string large(40'000, 'x');  // more than the buffer, less than the pipe holds
  {
    DescriptorBuffer buffer(ends[1]);
    std::ostream out(&buffer);
    out << "begin" << large << "end" << std::flush;
    EXPECT_TRUE(out.good());
    EXPECT_EQ(buffer.problem(), 0);
  }
  ::close(ends[1]);
  std::string read;
  std::array<char, 4096> part{};
  for (ssize_t n = 0; (n = ::read(ends[0], part.data(), part.size())) > 0;) {
    read.append(part.data(), static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  EXPECT_EQ(read, "begin" + large + "end");
}

TEST(DescriptorBuffer, RemembersWhyItCouldNotWrite) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  DescriptorBuffer buffer(full);
  std::ostream out(&buffer);
  out << "lost" << std::flush;
  EXPECT_FALSE(out.good());
  EXPECT_EQ(buffer.problem(), ENOSPC);
  out.clear();
  out << std::string(100'000, 'x') << std::flush;
  EXPECT_EQ(buffer.problem(), ENOSPC);
  ::close(full);
}

TEST(DescriptorBuffer, AClosedReaderIsAProblemAndNoSignal) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ::close(ends[0]);
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  DescriptorBuffer buffer(ends[1]);
  std::ostream out(&buffer);
  out << "lost" << std::flush;
  EXPECT_EQ(buffer.problem(), EPIPE);
  std::signal(SIGPIPE, before);
  ::close(ends[1]);
}

}  // namespace
}  // namespace taskpipe::cli
