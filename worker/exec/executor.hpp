// The seam between the worker and whatever runs attempts: processes, containers, C++ handlers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/model/error.hpp"
#include "common/model/ids.hpp"
#include "common/model/messages.hpp"
#include "common/model/task.hpp"
#include "common/model/time.hpp"

namespace taskpipe::worker {

// What one line of output told. Filled by an OutputParser.
struct ParsedLine {
  double percent = -1.0;  // negative = the line said nothing about progress
  std::string message;
  std::vector<std::pair<std::string, double>> metrics;
};

// Reads a tool's output line by line; one per attempt, so it may remember earlier lines. Called by
// the executor's thread only.
class OutputParser {
 public:
  OutputParser() = default;
  OutputParser(const OutputParser&) = delete;
  OutputParser& operator=(const OutputParser&) = delete;
  virtual ~OutputParser() = default;
  // `line` has no newline and at most limits::kMaxLineBytes bytes; any bytes may occur.
  virtual void read(LogStream stream, std::string_view line, ParsedLine& out) = 0;
};

// How to run an attempt, worked out from manifest, spec and params.
struct RunPlan {
  std::vector<std::string> argv;  // argv[0]: absolute path or a name looked up in PATH
  std::vector<std::pair<std::string, std::string>> environment;  // complete: nothing is inherited
  struct File {
    std::string name;  // relative to the attempt's directory
    Payload content;
    bool executable = false;
  };
  std::vector<File> files;  // written before the start
  struct Input {
    std::string name;    // relative to the attempt's directory
    std::string source;  // a copy of its own on the same file system, which is moved
    std::string sha256;
  };
  std::vector<Input> inputs;                // likewise
  std::vector<std::string> artifact_globs;  // relative to the attempt's directory
  Millis time_limit{0};                     // 0 = none
  Millis silence_limit{0};                  // the longest time without a byte of output; 0 = none
  Millis grace{0};  // between SIGTERM at a limit and SIGKILL; 0 = kDefaultGraceMs
  std::uint64_t memory_limit_bytes = 0;  // 0 = none
  std::unique_ptr<OutputParser> parser;  // may be null

  // Of an attempt that runs in a container: argv is then the client of a runtime.
  struct Container {
    std::string runtime;  // "docker"
    std::string name;     // of the container, for people; may be empty
    // Of containers that no end of the client ends: their client runs with the worker's rights, the
    // memory limit is the runtime's to enforce, and these commands end every attempt. Else empty.
    std::vector<std::string> inspection;  // see spawn_message::Spawn
    std::vector<std::string> removal;
  };
  std::optional<Container> container;
};

// The reason of an attempt that was stopped for its silence, whoever ran it.
[[nodiscard]] inline std::string no_progress_reason(Millis silence_limit) {
  return "made no progress for " + std::to_string(silence_limit.count()) + " ms (no_progress)";
}

// Why an attempt is stopped; decides how its end is reported.
enum class StopCause : std::uint8_t { cancelled, superseded };

namespace exec_event {

// First of an attempt, if it starts at all; of one that ends within some milliseconds just before
// its end.
struct Started {
  AttemptKey attempt;
  std::uint32_t pid = 0;
};
struct Output {
  AttemptKey attempt;
  LogStream stream = LogStream::out;
  std::uint64_t offset = 0;
  Payload data;
};
struct Progressed {
  AttemptKey attempt;
  ParsedLine progress;
};
// Exactly one per `start`, last of the attempt, after everything it started is gone.
struct Ended {
  AttemptKey attempt;
  Outcome outcome;
};

}  // namespace exec_event

using ExecEvent = std::variant<exec_event::Started, exec_event::Output, exec_event::Progressed,
                               exec_event::Ended>;

class Executor {
 public:
  // Called by the executor's own threads; must not block.
  using Sink = std::function<void(ExecEvent)>;

  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  // Kills what still runs and waits for it.
  virtual ~Executor() = default;

  // Returns at once; what goes wrong arrives as Ended with failure class spawn. Any thread.
  virtual void start(AttemptKey attempt, RunPlan plan) = 0;
  // SIGTERM to everything the attempt started, SIGKILL after `grace`. Unknown attempts are ignored.
  virtual void stop(AttemptKey attempt, StopCause cause, Millis grace) = 0;
};

}  // namespace taskpipe::worker
