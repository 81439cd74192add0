#include "worker/exec/running_attempt.hpp"

#include <algorithm>
#include <utility>

namespace taskpipe::worker {
namespace {

// What a closed pipe can still hold (fs.pipe-max-size), with room; a descriptor that was handed to
// a stranger must not keep us reading.
constexpr std::size_t kMaxDrainBytes = 4U << 20U;

}  // namespace

RunningAttempt::RunningAttempt(RunNumber run, AttemptKey key, RunPlan plan,
                               AttemptDirectory directory, Descriptor stdout_pipe,
                               Descriptor stderr_pipe, std::uint64_t max_log_file_bytes)
    : run_(run),
      key_(key),
      plan_(std::move(plan)),
      directory_(std::move(directory)),
      parser_(std::move(plan_.parser)),
      out_(LogStream::out, std::move(stdout_pipe), directory_.file(kStdoutFile), max_log_file_bytes,
           directory_.owner()),
      err_(LogStream::err, std::move(stderr_pipe), directory_.file(kStderrFile), max_log_file_bytes,
           directory_.owner()) {}

void RunningAttempt::on_spawned(MonotonicTime at) {
  spawned_ = true;
  spawned_at_ = at;
  last_output_ = std::max(last_output_, at);
  if (cause_ != EndCause::none) return;
  if (plan_.time_limit.count() > 0) time_limit_at_ = at + plan_.time_limit;
  if (plan_.silence_limit.count() > 0) silence_check_at_ = at + plan_.silence_limit;
}

bool RunningAttempt::ask_to_end(EndCause cause, MonotonicTime now) {
  if (finishing_ || cause_ != EndCause::none) return false;
  cause_ = cause;
  if (spawned_) asked_after_ = std::chrono::floor<Millis>(now - spawned_at_);
  time_limit_at_.reset();
  silence_check_at_.reset();
  return true;
}

bool RunningAttempt::over_time_limit(MonotonicTime now) const {
  return time_limit_at_ && now >= *time_limit_at_;
}

bool RunningAttempt::over_silence_limit(MonotonicTime now, std::string& scratch) {
  if (!silence_check_at_ || now < *silence_check_at_) return false;
  for (const LogStream which : {LogStream::out, LogStream::err}) read(which, now, scratch);
  silence_check_at_ = last_output_ + plan_.silence_limit;
  return now >= *silence_check_at_;
}

auto RunningAttempt::line_reader(LogStream which) {
  return [this, which](std::string_view line) {
    parsed_.percent = -1.0;
    parsed_.message.clear();
    parsed_.metrics.clear();
    parser_.read(which, line, parsed_);
    progress_.add(parsed_);
  };
}

void RunningAttempt::read(LogStream which, MonotonicTime now, std::string& scratch) {
  OutputStream& stream = which == LogStream::out ? out_ : err_;
  const std::uint64_t before = stream.total_bytes();
  stream.read_once(scratch.data(), scratch.size(), line_reader(which));
  if (stream.total_bytes() != before) last_output_ = now;
}

void RunningAttempt::emit_due(MonotonicTime now, const Executor::Sink& sink) {
  if (!spawned_) return;
  for (OutputStream* stream : {&out_, &err_}) {
    if (const auto due = stream->due(); due && *due <= now) emit_output(*stream, now, sink);
  }
  if (const auto due = progress_.due(); due && *due <= now) emit_progress(now, sink);
}

std::optional<MonotonicTime> RunningAttempt::next_due() const {
  std::optional<MonotonicTime> next;
  if (!spawned_ || finishing_) return next;
  for (const auto& due :
       {time_limit_at_, silence_check_at_, out_.due(), err_.due(), progress_.due()}) {
    if (due && (!next || *due < *next)) next = due;
  }
  return next;
}

void RunningAttempt::emit_output(OutputStream& stream, MonotonicTime now,
                                 const Executor::Sink& sink) {
  if (auto chunk = stream.take(now)) {
    sink(exec_event::Output{key_, stream.which(), chunk->offset, Payload(chunk->data)});
  }
}

void RunningAttempt::emit_progress(MonotonicTime now, const Executor::Sink& sink) {
  if (auto progress = progress_.take(now)) {
    sink(exec_event::Progressed{key_, std::move(*progress)});
  }
}

FinishJob RunningAttempt::finish(MonotonicTime now, const Executor::Sink& sink,
                                 const std::string& node, std::string& scratch) {
  finishing_ = true;
  time_limit_at_.reset();
  silence_check_at_.reset();
  for (OutputStream* stream : {&out_, &err_}) {
    const auto reader = line_reader(stream->which());
    const std::uint64_t limit = stream->total_bytes() + kMaxDrainBytes;
    while (stream->total_bytes() < limit &&
           stream->read_once(scratch.data(), scratch.size(), reader)) {
    }
    stream->finish(reader);
    emit_output(*stream, now, sink);
  }
  emit_progress(now, sink);
  FinishJob job;
  job.run = run_;
  job.artifact_globs = std::move(plan_.artifact_globs);
  job.files = std::move(plan_.files);
  job.inputs = std::move(plan_.inputs);
  job.owner = directory_.owner();
  job.report.node = node;
  job.report.directory = directory_.path();
  job.report.stdout_tail = out_.tail_text();
  job.report.stderr_tail = err_.tail_text();
  job.report.stdout_bytes = out_.total_bytes();
  job.report.stderr_bytes = err_.total_bytes();
  job.report.metrics = progress_.last_metrics();
  return job;
}

}  // namespace taskpipe::worker
