// A ProcessExecutor with a recording sink, for tests with real processes.
#pragma once

#include <gmock/gmock.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/model/run_report.hpp"
#include "tests/unit/exec/scratch_folder.hpp"
#include "worker/exec/process_executor.hpp"

namespace taskpipe::worker {

// The one that was built with the tests, or what TASKPIPE_SPAWNER names: the same in a tool that
// watches it (spawner_memory_test.py).
[[nodiscard]] std::string spawner_program();

// Everything that was heard of one attempt.
struct AttemptLog {
  int started = 0;
  std::uint32_t pid = 0;
  std::map<LogStream, std::string> output;         // live pieces, put together
  std::map<LogStream, std::uint64_t> next_offset;  // end of the last piece
  int gaps = 0;                                    // pieces that did not join
  std::vector<ParsedLine> progress;
  std::vector<Outcome> ended;
  int events_after_end = 0;
};

class ExecutorHarness {
 public:
  static constexpr std::chrono::seconds kPatience{60};

  // `adjust` may change the options before the executor is made.
  explicit ExecutorHarness(const std::function<void(ProcessExecutorOptions&)>& adjust = [](auto&) {
  });

  // A plan that runs the probe, or a shell script.
  [[nodiscard]] static RunPlan probe(const std::string& mode, const std::string& argument = "",
                                     const std::string& marker = "");
  [[nodiscard]] static RunPlan shell(const std::string& script);

  AttemptKey start(RunPlan plan);
  // Starts, waits for the end.
  Outcome run(RunPlan plan);
  // Fails the test when nothing came in time; then the outcome is the default one.
  Outcome wait_for_end(const AttemptKey& key);
  // False when the condition did not come true in time.
  [[nodiscard]] bool wait_until(const AttemptKey& key,
                                const std::function<bool(const AttemptLog&)>& condition);
  // Until `text` has been printed to stdout.
  [[nodiscard]] bool wait_for_output(const AttemptKey& key, const std::string& text);
  [[nodiscard]] AttemptLog log(const AttemptKey& key);

  [[nodiscard]] ProcessExecutor& executor() { return *executor_; }
  [[nodiscard]] const std::string& root() const { return root_.path(); }
  [[nodiscard]] std::string directory_of(const AttemptKey& key) const;
  void destroy_executor() { executor_.reset(); }
  // Of this process' children that are spawners, the newest. Throws when there is none.
  [[nodiscard]] static pid_t spawner_pid();
  static void signal_spawner(int signal);

 private:
  void record(const ExecEvent& event);

  ScratchFolder root_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<AttemptKey, AttemptLog> logs_;
  std::uint64_t next_task_ = 1;
  std::unique_ptr<ProcessExecutor> executor_;  // last: its threads use the rest
};

// The report of an outcome; fails the test when it does not decode.
[[nodiscard]] RunReport report_of(const Outcome& outcome);
// The artifact of that name, or null.
[[nodiscard]] const Artifact* find_artifact(const RunReport& report, const std::string& name);

}  // namespace taskpipe::worker
