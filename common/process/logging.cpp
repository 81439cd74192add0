#include "common/process/logging.hpp"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "common/model/utf8.hpp"
#include "common/process/clock.hpp"

namespace taskpipe::process {
namespace {

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warning", "error"};
constexpr std::array<spdlog::level::level_enum, 4> kSpdlogLevels = {
    spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};
constexpr std::size_t kLevelWidth = 8;  // longest name and a space

std::string_view name_of(spdlog::level::level_enum level) {
  for (std::size_t i = 0; i < kSpdlogLevels.size(); ++i) {
    if (kSpdlogLevels[i] == level) return kLevelNames[i];
  }
  return "?";
}

// Characters that would end the line, drive a terminal, or reorder what is read: C0 and C1
// controls, line and paragraph separators, bidirectional embeddings, overrides and isolates.
bool is_unprintable(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x2028 || c == 0x2029 ||
         (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

void append_hex(std::string& out, char32_t number, unsigned digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  while (digits > 0) out += kDigits[(number >> (4U * --digits)) & 0xFU];
}

void append_escaped(std::string& out, std::string_view text, bool in_quotes) {
  while (!text.empty()) {
    const Utf8Char next = first_utf8_char(text);
    if (!next.valid) {
      out += "\\x";
      append_hex(out, static_cast<unsigned char>(text.front()), 2);
    } else if (next.code_point == U'\n') {
      out += "\\n";
    } else if (is_unprintable(next.code_point)) {
      out += "\\u";
      append_hex(out, next.code_point, 4);
    } else {
      if (in_quotes && (next.code_point == U'"' || next.code_point == U'\\')) out += '\\';
      out += text.substr(0, next.bytes);
    }
    text.remove_prefix(next.bytes);
  }
}

// Bare words stay bare; whatever could be mistaken for several fields is quoted.
bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  while (!value.empty()) {
    const Utf8Char next = first_utf8_char(value);
    const char32_t c = next.code_point;
    if (!next.valid || is_unprintable(c) || c == U' ' || c == U'"' || c == U'=' || c == U'\\') {
      return true;
    }
    value.remove_prefix(next.bytes);
  }
  return false;
}

std::string text_body(std::string_view message, Logger::Fields fields) {
  std::string body;
  append_escaped(body, message, false);
  for (const LogField& field : fields) {
    body += ' ';
    append_escaped(body, field.key, false);
    body += '=';
    const bool quote = needs_quotes(field.value);
    if (quote) body += '"';
    append_escaped(body, field.value, quote);
    if (quote) body += '"';
  }
  return body;
}

std::string json_body(std::string_view message, Logger::Fields fields) {
  std::string body = R"("msg":)";
  append_json_string(body, message);
  for (const LogField& field : fields) {
    body += ',';
    append_json_string(body, field.key);
    body += ':';
    append_json_string(body, field.value);
  }
  return body;
}

std::string timestamp(const spdlog::details::log_msg& message) {
  const auto since_epoch = message.time.time_since_epoch();
  return to_iso_text(
      WallTime{std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count()});
}

void append(spdlog::memory_buf_t& out, std::string_view text) {
  out.append(text.data(), text.data() + text.size());
}

// What stands before the body. The sink holds its lock here, so lines of one sink never mix.
class TextFormatter final : public spdlog::formatter {
 public:
  explicit TextFormatter(std::string program) : program_(std::move(program)) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    append(out, timestamp(message));
    append(out, " ");
    message.color_range_start = out.size();
    const std::string_view level = name_of(message.level);
    append(out, level);
    message.color_range_end = out.size();
    append(out, std::string(kLevelWidth - level.size(), ' '));
    append(out, program_);
    append(out, ": ");
    append(out, {message.payload.data(), message.payload.size()});
    append(out, "\n");
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<TextFormatter>(program_);
  }

 private:
  std::string program_;
};

class JsonFormatter final : public spdlog::formatter {
 public:
  explicit JsonFormatter(std::string program) : program_(std::move(program)) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    append(out, R"({"ts":")");
    append(out, timestamp(message));
    append(out, R"(","level":")");
    append(out, name_of(message.level));
    append(out, R"(","program":)");
    std::string program;
    append_json_string(program, program_);
    append(out, program);
    append(out, ",");
    append(out, {message.payload.data(), message.payload.size()});
    append(out, "}\n");
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>(program_);
  }

 private:
  std::string program_;
};

// https://no-color.org, and terminals that cannot.
bool stderr_takes_colours() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool refused = no_color != nullptr && *no_color != '\0';
  const bool dumb = terminal != nullptr && std::string_view(terminal) == "dumb";
  return !refused && !dumb && ::isatty(STDERR_FILENO) == 1;
}

spdlog::sink_ptr make_sink(const LogOptions& options) {
  if (!options.file.empty()) {
    try {
      return std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
    } catch (const spdlog::spdlog_ex& error) {
      throw std::runtime_error("cannot open the log file '" + options.file + "': " + error.what() +
                               "; name a file in a folder that this user may write to");
    }
  }
  if (options.format == LogFormat::json || !stderr_takes_colours()) {
    return std::make_shared<spdlog::sinks::stderr_sink_mt>();
  }
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(spdlog::color_mode::always);
  sink->set_color(spdlog::level::debug, sink->cyan);
  return sink;
}

std::unique_ptr<spdlog::formatter> make_formatter(const LogOptions& options) {
  if (options.format == LogFormat::json) return std::make_unique<JsonFormatter>(options.program);
  return std::make_unique<TextFormatter>(options.program);
}

std::optional<std::size_t> index_of(std::string_view name,
                                    const std::array<std::string_view, 4>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return i;
  }
  return std::nullopt;
}

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view name) {
  const auto index = index_of(name == "warn" ? "warning" : name, kLevelNames);
  if (!index) return std::nullopt;
  return static_cast<LogLevel>(*index);
}

std::optional<LogFormat> parse_log_format(std::string_view name) {
  if (name == "text") return LogFormat::text;
  if (name == "json") return LogFormat::json;
  return std::nullopt;
}

struct Logger::Impl {
  Impl(LogFormat log_format, spdlog::logger spdlog_logger)
      : format(log_format), logger(std::move(spdlog_logger)) {}

  LogFormat format;
  spdlog::logger logger;
};

Logger::Logger(const LogOptions& options) {
  const spdlog::sink_ptr sink = make_sink(options);
  sink->set_formatter(make_formatter(options));
  impl_ = std::make_unique<Impl>(options.format, spdlog::logger(options.program, sink));
  impl_->logger.set_level(kSpdlogLevels.at(static_cast<std::size_t>(options.level)));
  // The last lines before a crash are the ones that are needed.
  impl_->logger.flush_on(spdlog::level::trace);
}

Logger::~Logger() = default;

void Logger::debug(std::string_view message, Fields fields) {
  write(LogLevel::debug, message, fields);
}
void Logger::info(std::string_view message, Fields fields) {
  write(LogLevel::info, message, fields);
}
void Logger::warning(std::string_view message, Fields fields) {
  write(LogLevel::warning, message, fields);
}
void Logger::error(std::string_view message, Fields fields) {
  write(LogLevel::error, message, fields);
}

void Logger::write(LogLevel level, std::string_view message, Fields fields) {
  const auto spdlog_level = kSpdlogLevels.at(static_cast<std::size_t>(level));
  if (!impl_->logger.should_log(spdlog_level)) return;
  const std::string body =
      impl_->format == LogFormat::json ? json_body(message, fields) : text_body(message, fields);
  // A sink that fails (a full disk) must not take the program down: spdlog catches it and reports
  // it on stderr, once a second at most.
  impl_->logger.log(spdlog_level, spdlog::string_view_t(body.data(), body.size()));
}

}  // namespace taskpipe::process
