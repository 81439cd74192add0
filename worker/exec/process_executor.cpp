#include "worker/exec/process_executor.hpp"

#include <utility>

#include "worker/exec/executor_loop.hpp"

namespace taskpipe::worker {

ProcessExecutor::ProcessExecutor(ProcessExecutorOptions options, Sink sink)
    : loop_(std::make_unique<ExecutorLoop>(std::move(options), std::move(sink))),
      memory_control_(loop_->memory_control()),
      thread_([this] { loop_->run(); }) {}

ProcessExecutor::~ProcessExecutor() {
  loop_->post(executor_command::Shutdown{});
  thread_.join();
}

void ProcessExecutor::start(AttemptKey attempt, RunPlan plan) {
  loop_->post(executor_command::Start{attempt, std::move(plan)});
}

void ProcessExecutor::stop(AttemptKey attempt, StopCause cause, Millis grace) {
  loop_->post(executor_command::Stop{attempt, cause, grace});
}

}  // namespace taskpipe::worker
