#include "broker/shell/audit_log.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "common/model/limits.hpp"
#include "common/process/clock.hpp"

namespace taskpipe::broker {
namespace {

constexpr ::mode_t kOwnerOnly = 0600;

int open_log(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kOwnerOnly);
}

void add_quoted(std::string& text, std::string_view value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  text += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (byte < 0x20) {
      text += "\\u00";
      text += kDigits[byte >> 4U];
      text += kDigits[byte & 0xfU];
    } else {
      text += c;
    }
  }
  text += '"';
}

std::string line_of(std::string_view event, AuditLog::Fields fields) {
  std::string text = "{\"unix_ms\":" + std::to_string(process::read_clock().wall.unix_ms);
  text += ",\"event\":";
  add_quoted(text, event);
  for (const auto& [name, value] : fields) {
    if (value.empty()) continue;
    text += ',';
    add_quoted(text, name);
    text += ':';
    add_quoted(text, value);
  }
  text += "}\n";
  return text;
}

}  // namespace

AuditLog::AuditLog(std::string path, process::Logger& logger)
    : path_(std::move(path)), logger_(logger) {
  const int fd = open_log(path_);
  if (fd < 0) {
    throw std::runtime_error("cannot write --audit-log " + path_ + ": " + std::strerror(errno) +
                             "; choose a file that this user may write");
  }
  ::close(fd);
  thread_ = std::thread([this] { run(); });
}

AuditLog::~AuditLog() {
  lines_.post({{}, true});
  thread_.join();
}

void AuditLog::write(std::string_view event, Fields fields) {
  if (waiting_.load() >= limits::kMaxUnwrittenAudits) {
    ++dropped_;
    return;
  }
  ++waiting_;
  lines_.post({line_of(event, fields), false});
}

void AuditLog::run() {
  std::vector<Line> batch;
  bool last = false;
  bool failing = false;
  while (!last) {
    ::pollfd ready{lines_.fd(), POLLIN, 0};
    static_cast<void>(::poll(&ready, 1, -1));
    lines_.take(batch);
    std::string text;
    std::uint64_t lines = 0;
    for (const Line& line : batch) {
      text += line.text;
      last = last || line.last;
      if (!line.last) ++lines;
    }
    waiting_ -= lines;
    const std::uint64_t dropped = dropped_.exchange(0);
    if (dropped > 0) text += line_of("lines_dropped", {{"count", std::to_string(dropped)}});
    if (text.empty()) continue;
    const bool written = append(text);
    if (!written) dropped_ += lines + dropped;
    if (!written && !failing) {
      logger_.error("the audit log cannot be written; its lines are lost",
                    {{"file", path_}, {"why", std::strerror(errno)}});
    }
    failing = !written;
  }
}

bool AuditLog::append(const std::string& text) {
  const int fd = open_log(path_);
  if (fd < 0) return false;
  std::string_view left = text;
  bool done = true;
  while (done && !left.empty()) {
    const ::ssize_t count = ::write(fd, left.data(), left.size());
    if (count < 0 && errno == EINTR) continue;
    done = count >= 0;
    if (done) left.remove_prefix(static_cast<std::size_t>(count));
  }
  const int error = errno;
  ::close(fd);
  errno = error;
  return done;
}

}  // namespace taskpipe::broker
