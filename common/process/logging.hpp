// Logging: one line per fact, as text for people or as JSON for programs.
//
//   logger.info("worker connected", {{"worker", name}, {"session",
//   std::to_string(session.value())}}); text:  2026-01-31T12:00:00.123Z info  broker: worker
//   connected worker=node1 session=12 json:
//   {"ts":"2026-01-31T12:00:00.123Z","level":"info","program":"broker","msg":"worker connected",…}
//
// There is no global logger: main makes one and passes it on. Thread-safe. spdlog is known to
// logging.cpp alone, because its headers cost more compile time than all of ours together.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace taskpipe::process {

enum class LogLevel { debug, info, warning, error };
enum class LogFormat { text, json };
[[nodiscard]] std::optional<LogLevel> parse_log_level(std::string_view name);
[[nodiscard]] std::optional<LogFormat> parse_log_format(std::string_view name);

struct LogField {
  std::string_view key;
  std::string value;
};

struct LogOptions {
  std::string program;  // "broker", "worker", …
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  std::string file;  // empty = stderr
};

class Logger {
 public:
  // Throws std::runtime_error when the file cannot be opened.
  explicit Logger(const LogOptions& options);
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;
  ~Logger();

  using Fields = std::initializer_list<LogField>;
  void debug(std::string_view message, Fields fields = {});
  void info(std::string_view message, Fields fields = {});
  void warning(std::string_view message, Fields fields = {});
  void error(std::string_view message, Fields fields = {});

 private:
  void write(LogLevel level, std::string_view message, Fields fields);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace taskpipe::process
