// One attempt while it runs: its folder, its output, its progress. Belongs to the executor's I/O
// thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "worker/exec/attempt_directory.hpp"
#include "worker/exec/executor.hpp"
#include "worker/exec/finisher.hpp"
#include "worker/exec/generic_progress.hpp"
#include "worker/exec/outcome.hpp"
#include "worker/exec/output_stream.hpp"
#include "worker/exec/progress_coalescer.hpp"

namespace taskpipe::worker {

class RunningAttempt {
 public:
  RunningAttempt(RunNumber run, AttemptKey key, RunPlan plan, AttemptDirectory directory,
                 Descriptor stdout_pipe, Descriptor stderr_pipe, std::uint64_t max_log_file_bytes);
  RunningAttempt(const RunningAttempt&) = delete;
  RunningAttempt& operator=(const RunningAttempt&) = delete;

  [[nodiscard]] const AttemptKey& key() const { return key_; }
  [[nodiscard]] const RunPlan& plan() const { return plan_; }
  [[nodiscard]] const AttemptDirectory& directory() const { return directory_; }
  [[nodiscard]] const OutputStream& stream(LogStream which) const {
    return which == LogStream::out ? out_ : err_;
  }

  // The limits count from `at`; before this, nothing is passed on, so that Started comes first.
  void on_spawned(MonotonicTime at);
  // False when an earlier cause holds, or it has ended already.
  bool ask_to_end(EndCause cause, MonotonicTime now);
  [[nodiscard]] EndCause cause() const { return cause_; }
  // How long it had run by then.
  [[nodiscard]] Millis asked_after() const { return asked_after_; }
  [[nodiscard]] bool over_time_limit(MonotonicTime now) const;
  // Whether it has been silent for as long as it may. Reads once from both streams before it says
  // so: what was written in time may not have been read in time. A no puts off the next look to the
  // first moment that could have another answer.
  [[nodiscard]] bool over_silence_limit(MonotonicTime now, std::string& scratch);

  // One bounded read.
  void read(LogStream which, MonotonicTime now, std::string& scratch);
  // Passes on output and progress that is due.
  void emit_due(MonotonicTime now, const Executor::Sink& sink);
  // When `emit_due` or one of the limits has something to do next.
  [[nodiscard]] std::optional<MonotonicTime> next_due() const;

  // Nobody writes any more: reads the rest, passes on everything, closes the files. Everything the
  // final report needs but artifacts and outcome. Once.
  [[nodiscard]] FinishJob finish(MonotonicTime now, const Executor::Sink& sink,
                                 const std::string& node, std::string& scratch);
  [[nodiscard]] bool finishing() const { return finishing_; }

 private:
  [[nodiscard]] auto line_reader(LogStream which);
  void emit_output(OutputStream& stream, MonotonicTime now, const Executor::Sink& sink);
  void emit_progress(MonotonicTime now, const Executor::Sink& sink);

  RunNumber run_;
  AttemptKey key_;
  RunPlan plan_;
  AttemptDirectory directory_;
  GenericProgressParser parser_;
  ParsedLine parsed_;  // reused
  ProgressCoalescer progress_;
  OutputStream out_;
  OutputStream err_;
  EndCause cause_ = EndCause::none;
  Millis asked_after_{0};
  MonotonicTime spawned_at_{};
  std::optional<MonotonicTime> time_limit_at_;
  MonotonicTime last_output_{};
  // Output does not move it, so that a line costs no timer: it moves when it is due.
  std::optional<MonotonicTime> silence_check_at_;
  bool spawned_ = false;
  bool finishing_ = false;
};

}  // namespace taskpipe::worker
