#include "tests/integration/exec/executor_harness.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "common/protocol/value_codec.hpp"
#include "tests/integration/exec/live_processes.hpp"
#include "worker/spawner/descriptor.hpp"

namespace taskpipe::worker {

std::string spawner_program() {
  const char* other = std::getenv("TASKPIPE_SPAWNER");
  return other != nullptr ? other : TASKPIPE_SPAWNER_PROGRAM;
}

ExecutorHarness::ExecutorHarness(const std::function<void(ProcessExecutorOptions&)>& adjust) {
  ProcessExecutorOptions options;
  options.attempts_root = root_.path();
  options.spawner.program = spawner_program();
  options.node = "testnode";
  adjust(options);
  executor_ =
      std::make_unique<ProcessExecutor>(options, [this](const ExecEvent& event) { record(event); });
}

RunPlan ExecutorHarness::probe(const std::string& mode, const std::string& argument,
                               const std::string& marker) {
  RunPlan plan;
  plan.argv = {TASKPIPE_PROBE_PROGRAM, mode, argument, marker};
  plan.environment = {{"PATH", "/usr/bin:/bin"}};
  return plan;
}

RunPlan ExecutorHarness::shell(const std::string& script) {
  RunPlan plan;
  plan.argv = {"sh", "-c", script};
  plan.environment = {{"PATH", "/usr/bin:/bin"}};
  return plan;
}

AttemptKey ExecutorHarness::start(RunPlan plan) {
  const AttemptKey key{TaskId(1, next_task_++), Epoch(3), Attempt(1)};
  executor_->start(key, std::move(plan));
  return key;
}

Outcome ExecutorHarness::run(RunPlan plan) { return wait_for_end(start(std::move(plan))); }

Outcome ExecutorHarness::wait_for_end(const AttemptKey& key) {
  if (!wait_until(key, [](const AttemptLog& log) { return !log.ended.empty(); })) {
    ADD_FAILURE() << "the attempt did not end in time";
    return {};
  }
  const std::lock_guard lock(mutex_);
  return logs_[key].ended.front();
}

bool ExecutorHarness::wait_until(const AttemptKey& key,
                                 const std::function<bool(const AttemptLog&)>& condition) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return condition(logs_[key]); });
}

bool ExecutorHarness::wait_for_output(const AttemptKey& key, const std::string& text) {
  return wait_until(key, [&](const AttemptLog& log) {
    const auto out = log.output.find(LogStream::out);
    return out != log.output.end() && out->second.find(text) != std::string::npos;
  });
}

AttemptLog ExecutorHarness::log(const AttemptKey& key) {
  const std::lock_guard lock(mutex_);
  return logs_[key];
}

std::string ExecutorHarness::directory_of(const AttemptKey& key) const {
  return root_ / (key.task.to_string() + "/" + std::to_string(key.epoch.value()) + "-" +
                  std::to_string(key.attempt.value()));
}

pid_t ExecutorHarness::spawner_pid() {
  pid_t found = -1;
  for (const pid_t pid : children_of(::getpid())) {
    const std::string arguments = read_small_file("/proc/" + std::to_string(pid) + "/cmdline");
    // A tool that watches the program may stand before it.
    if (arguments.find("--lifeline") != std::string::npos) found = std::max(found, pid);
  }
  if (found <= 1) throw std::runtime_error("no spawner runs");  // -1 would mean everybody
  return found;
}

void ExecutorHarness::signal_spawner(int signal) { ASSERT_EQ(::kill(spawner_pid(), signal), 0); }

void ExecutorHarness::record(const ExecEvent& event) {
  {
    const std::lock_guard lock(mutex_);
    const AttemptKey& key =
        std::visit([](const auto& e) -> const AttemptKey& { return e.attempt; }, event);
    AttemptLog& log = logs_[key];
    if (!log.ended.empty()) ++log.events_after_end;
    if (const auto* started = std::get_if<exec_event::Started>(&event)) {
      ++log.started;
      log.pid = started->pid;
    } else if (const auto* output = std::get_if<exec_event::Output>(&event)) {
      if (output->offset != log.next_offset[output->stream]) ++log.gaps;
      log.next_offset[output->stream] = output->offset + output->data.size();
      constexpr std::size_t kKeptBytes = 1U << 20U;
      std::string& text = log.output[output->stream];
      if (text.size() < kKeptBytes) text.append(output->data.text());
    } else if (const auto* progressed = std::get_if<exec_event::Progressed>(&event)) {
      log.progress.push_back(progressed->progress);
    } else if (const auto* ended = std::get_if<exec_event::Ended>(&event)) {
      log.ended.push_back(ended->outcome);
    }
  }
  changed_.notify_all();
}

RunReport report_of(const Outcome& outcome) {
  auto report = protocol::decode_report(outcome.report.bytes());
  if (report) return std::move(*report);
  ADD_FAILURE() << "the report does not decode: " << report.error().text;
  return {};
}

const Artifact* find_artifact(const RunReport& report, const std::string& name) {
  const auto found = std::find_if(report.artifacts.begin(), report.artifacts.end(),
                                  [&](const Artifact& artifact) { return artifact.name == name; });
  return found == report.artifacts.end() ? nullptr : &*found;
}

}  // namespace taskpipe::worker
