#include "common/process/logging.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/temporary_folder.hpp"

namespace taskpipe::process {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ThrowsMessage;

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// Every digit as 9. (<regex> does not survive -Werror under the sanitizers.)
std::string shape(std::string text) {
  for (char& c : text) {
    if (c >= '0' && c <= '9') c = '9';
  }
  return text;
}

class LoggingTest : public ::testing::Test {
 protected:
  LogOptions options(LogFormat format, LogLevel level = LogLevel::debug) const {
    return {.program = "broker", .level = level, .format = format, .file = path_.string()};
  }
  // The one line that `write` logs.
  template <class Write>
  std::string line(LogFormat format, Write write) const {
    {
      Logger logger(options(format));
      write(logger);
    }
    const auto lines = lines_of(path_);
    EXPECT_EQ(lines.size(), 1U);
    return lines.empty() ? "" : lines.front();
  }

  testing::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "log";
};

TEST_F(LoggingTest, TextLineForPeople) {
  const std::string text = line(LogFormat::text, [](Logger& logger) {
    logger.info("worker connected", {{"worker", "node1"}, {"session", "12"}});
  });
  EXPECT_EQ(shape(text),
            "9999-99-99T99:99:99.999Z info    broker: worker connected worker=node9 session=99");
  EXPECT_THAT(text, EndsWith("worker=node1 session=12"));
}

TEST_F(LoggingTest, JsonLineForPrograms) {
  const auto json = nlohmann::json::parse(line(LogFormat::json, [](Logger& logger) {
    logger.warning("disk is slow", {{"ms", "812"}, {"path", "/var/lib/x"}});
  }));
  EXPECT_EQ(json.at("level"), "warning");
  EXPECT_EQ(json.at("program"), "broker");
  EXPECT_EQ(json.at("msg"), "disk is slow");
  EXPECT_EQ(json.at("ms"), "812");
  EXPECT_EQ(json.at("path"), "/var/lib/x");
  EXPECT_EQ(shape(json.at("ts")), "9999-99-99T99:99:99.999Z");
}

TEST_F(LoggingTest, EveryByteGivesOneValidJsonLine) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  const std::string text = line(LogFormat::json, [&](Logger& logger) {
    logger.info(every_byte, {{every_byte, every_byte}});
  });
  const auto json = nlohmann::json::parse(text);  // throws on invalid UTF-8 as well
  EXPECT_EQ(json.size(), 5U);
  EXPECT_THAT(json.at("msg").get<std::string>(), HasSubstr("\"#$%&'()*+,-./0123456789"));
}

TEST_F(LoggingTest, JsonKeepsUnicodeAndQuotes) {
  const auto json = nlohmann::json::parse(line(LogFormat::json, [](Logger& logger) {
    logger.error("gr\xC3\xBC\xC3\x9F\x65 \xF0\x9F\x9A\x80 \"quoted\" back\\slash\n\t\x1B");
  }));
  EXPECT_EQ(json.at("msg"),
            "gr\xC3\xBC\xC3\x9F\x65 \xF0\x9F\x9A\x80 \"quoted\" back\\slash\n\t\x1B");
}

TEST_F(LoggingTest, TextCannotForgeALine) {
  const std::string text = line(LogFormat::text, [](Logger& logger) {
    logger.info("hello\n2026-01-01T00:00:00.000Z error broker: forged\r\x1B[2K",
                {{"k\ney", "a\nb"}, {"nul", std::string("\0", 1)}});
  });
  EXPECT_THAT(text, HasSubstr("hello\\n2026-01-01"));
  EXPECT_THAT(text, HasSubstr("\\u000d\\u001b[2K"));
  EXPECT_THAT(text, HasSubstr(R"(k\ney="a\nb")"));
  EXPECT_THAT(text, HasSubstr(R"(nul="\u0000")"));
}

TEST_F(LoggingTest, TextEscapesWhatReordersOrDrivesTheScreen) {
  const std::string text = line(LogFormat::text, [](Logger& logger) {
    logger.info("c1 \xC2\x9B sep \xE2\x80\xA8 bidi \xE2\x80\xAE raw \x9B \xFF");
  });
  EXPECT_THAT(text, HasSubstr(R"(c1 \u009b sep \u2028 bidi \u202e raw \x9b \xff)"));
}

TEST_F(LoggingTest, TextQuotesValuesThatCouldBeMistaken) {
  const std::string text = line(LogFormat::text, [](Logger& logger) {
    logger.info("m", {{"empty", ""},
                      {"space", "a b"},
                      {"equals", "a=b"},
                      {"quote", "say \"x\\y\""},
                      {"bare", "tcp://[::1]:5555/\xC3\xA9"}});
  });
  EXPECT_THAT(text, HasSubstr(R"(m empty="" space="a b" equals="a=b" quote="say \"x\\y\"" )"
                              "bare=tcp://[::1]:5555/\xC3\xA9"));
}

TEST_F(LoggingTest, BracesAndPercentsAreText) {
  EXPECT_THAT(line(LogFormat::text, [](Logger& logger) { logger.info("{} %v {0} %n"); }),
              HasSubstr("{} %v {0} %n"));
}

TEST_F(LoggingTest, LevelsBelowTheChosenOneAreSilent) {
  {
    Logger logger(options(LogFormat::text, LogLevel::warning));
    logger.debug("one");
    logger.info("two");
    logger.warning("three");
    logger.error("four");
  }
  const auto lines = lines_of(path_);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0], HasSubstr("warning broker: three"));
  EXPECT_THAT(lines[1], HasSubstr("error   broker: four"));
}

TEST_F(LoggingTest, LinesAreInTheFileAtOnceAndAppended) {
  Logger first(options(LogFormat::text));
  first.info("one");
  EXPECT_EQ(lines_of(path_).size(), 1U);
  Logger second(options(LogFormat::text));
  second.info("two");
  EXPECT_EQ(lines_of(path_).size(), 2U);
}

TEST_F(LoggingTest, ThreadsNeverMixTheirLines) {
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  {
    Logger logger(options(LogFormat::json));
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&logger, t] {
        for (int i = 0; i < kEach; ++i) {
          logger.info(std::string(200, 'x'), {{"id", std::to_string(t * kEach + i)}});
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  std::set<std::string> ids;
  for (const std::string& text : lines_of(path_)) ids.insert(nlohmann::json::parse(text).at("id"));
  EXPECT_EQ(ids.size(), static_cast<std::size_t>(kThreads * kEach));
}

TEST_F(LoggingTest, AFileThatCannotBeOpenedIsNamed) {
  auto wrong = options(LogFormat::text);
  wrong.file = folder_.path().string();  // a folder
  EXPECT_THAT([&] { Logger logger(wrong); },
              ThrowsMessage<std::runtime_error>(
                  AllOf(HasSubstr(wrong.file), HasSubstr("log file"), HasSubstr("may write"))));
}

TEST_F(LoggingTest, AFullDiskDoesNotTakeTheProgramDown) {
  auto full = options(LogFormat::text);
  full.file = "/dev/full";
  ::testing::internal::CaptureStderr();
  {
    Logger logger(full);
    for (int i = 0; i < 3; ++i) logger.info("nobody will read this");
  }
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("LOG ERROR"));
}

TEST(LoggingNames, AreParsed) {
  EXPECT_EQ(parse_log_level("debug"), LogLevel::debug);
  EXPECT_EQ(parse_log_level("info"), LogLevel::info);
  EXPECT_EQ(parse_log_level("warning"), LogLevel::warning);
  EXPECT_EQ(parse_log_level("warn"), LogLevel::warning);
  EXPECT_EQ(parse_log_level("error"), LogLevel::error);
  EXPECT_EQ(parse_log_level("INFO"), std::nullopt);
  EXPECT_EQ(parse_log_level(""), std::nullopt);
  EXPECT_EQ(parse_log_format("text"), LogFormat::text);
  EXPECT_EQ(parse_log_format("json"), LogFormat::json);
  EXPECT_EQ(parse_log_format("xml"), std::nullopt);
}

// What a terminal in place of stderr receives of one line.
std::string on_a_terminal(LogFormat format) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  EXPECT_GE(terminal, 0);
  EXPECT_EQ(::grantpt(terminal), 0);
  EXPECT_EQ(::unlockpt(terminal), 0);
  const int line = ::open(::ptsname(terminal), O_RDWR | O_NOCTTY);
  const int real_stderr = ::dup(STDERR_FILENO);
  ::dup2(line, STDERR_FILENO);
  {
    Logger logger({.program = "broker", .level = LogLevel::info, .format = format, .file = ""});
    logger.error("m");
  }
  ::dup2(real_stderr, STDERR_FILENO);
  for (const int fd : {line, real_stderr}) ::close(fd);
  // The kernel hands a line over in the pieces in which it was written: read on until the closed
  // other end says that there is no more (EIO).
  std::string seen;
  std::array<char, 4096> piece{};
  for (;;) {
    const auto got = ::read(terminal, piece.data(), piece.size());
    if (got <= 0) break;
    seen.append(piece.data(), static_cast<std::size_t>(got));
  }
  ::close(terminal);
  return seen;
}

TEST(LoggingColours, OnlyOnATerminalThatWantsThem) {
  constexpr const char* kEscape = "\x1B[";
  ::setenv("TERM", "xterm", 1);
  ::unsetenv("NO_COLOR");
  EXPECT_THAT(on_a_terminal(LogFormat::text), HasSubstr(kEscape));
  EXPECT_THAT(on_a_terminal(LogFormat::json), Not(HasSubstr(kEscape)));
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_THAT(on_a_terminal(LogFormat::text),
              AllOf(HasSubstr("broker: m"), Not(HasSubstr(kEscape))));
  ::unsetenv("NO_COLOR");
  ::setenv("TERM", "dumb", 1);
  EXPECT_THAT(on_a_terminal(LogFormat::text), Not(HasSubstr(kEscape)));
}

TEST(LoggingColours, NotIntoAPipe) {
  ::setenv("TERM", "xterm", 1);
  ::unsetenv("NO_COLOR");
  ::testing::internal::CaptureStderr();
  Logger logger(
      {.program = "broker", .level = LogLevel::info, .format = LogFormat::text, .file = ""});
  logger.error("m");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("error   broker: m\n"), Not(HasSubstr("\x1B"))));
}

}  // namespace
}  // namespace taskpipe::process
