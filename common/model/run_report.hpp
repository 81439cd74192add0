// What a worker reports of a finished attempt, beyond its Outcome. Encoded into Outcome::report;
// the broker passes it on unread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/model/value.hpp"

namespace taskpipe {

struct Artifact {
  std::string name;  // relative to the attempt's directory
  std::string path;  // absolute, on the worker's node
  std::uint64_t size_bytes = 0;
  std::string sha256;     // 64 hex digits; empty when the file was too large to hash in time
  bool stored = false;    // the broker's store has it, under its hash
  bool shared = false;    // `path` lies on a file system that all hosts share
  std::string problem{};  // why it is neither, where that is not by design
  friend bool operator==(const Artifact&, const Artifact&) = default;
};

struct RunReport {
  std::string node;         // host name of the worker
  std::string directory;    // the attempt's directory on that node; empty for handler tasks
  std::string stdout_tail;  // last limits::kTailBytes, invalid UTF-8 replaced
  std::string stderr_tail;
  std::uint64_t stdout_bytes = 0;  // whole length
  std::uint64_t stderr_bytes = 0;
  std::vector<Artifact> artifacts;
  std::map<std::string, double> metrics;  // last value of each metric read from the log
  Value value;                            // what a handler returned; null for process tools
  friend bool operator==(const RunReport&, const RunReport&) = default;
};

}  // namespace taskpipe
