// The audit log: one JSON line for everything that somebody responsible for the cluster may have to
// look up later. Who was admitted and who was not, whose sessions were open, what an admin did to
// the tasks of others, which keys came and went. No secret, no parameter, no output is in it.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "common/process/logging.hpp"
#include "common/process/mailbox.hpp"

namespace taskpipe::broker {

// A thread of its own writes, so that no caller ever waits for the disk; what it cannot keep up
// with beyond limits::kMaxUnwrittenAudits lines is dropped, and so are lines that it cannot write;
// both are counted in the log itself, once it can be written again. The file is opened for each
// batch: it may be moved away at any time.
class AuditLog {
 public:
  using Fields = std::initializer_list<std::pair<std::string_view, std::string>>;

  // Throws std::runtime_error, naming the remedy, when the file cannot be written. Made with 0600.
  AuditLog(std::string path, process::Logger& logger);
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;
  ~AuditLog();  // writes what is left

  // From any thread.
  void write(std::string_view event, Fields fields);

 private:
  struct Line {
    std::string text;
    bool last = false;
  };
  void run();
  bool append(const std::string& text);

  std::string path_;
  process::Logger& logger_;
  process::Mailbox<Line> lines_;
  std::atomic<std::uint64_t> waiting_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::thread thread_;
};

}  // namespace taskpipe::broker
