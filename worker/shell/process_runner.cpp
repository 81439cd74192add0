#include "worker/shell/process_runner.hpp"

#include <algorithm>
#include <utility>

#include "common/protocol/value_codec.hpp"

namespace taskpipe::worker {
namespace {

Outcome rejected(const Error& error) {
  Outcome outcome;
  outcome.state = TaskState::error;
  outcome.failure = FailureClass::rejected;
  outcome.reason = (error.field.empty() ? "" : error.field + ": ") + error.text;
  return outcome;
}

Outcome cancelled() {
  Outcome outcome;
  outcome.state = TaskState::cancelled;
  outcome.failure = FailureClass::cancelled;
  outcome.reason = "cancelled before it had started";
  return outcome;
}

// Where the executor will run it: the layout of exec/attempt_directory.hpp.
std::string directory_of(const std::string& root, const AttemptKey& attempt) {
  return root + "/" + attempt.task.to_string() + "/" + std::to_string(attempt.epoch.value()) + "-" +
         std::to_string(attempt.attempt.value());
}

}  // namespace

ProcessRunner::ProcessRunner(Planner planner, Executor& executor, std::string attempts_root,
                             CommandMailbox& commands)
    : planner_(std::move(planner)),
      executor_(executor),
      attempts_root_(std::move(attempts_root)),
      commands_(commands),
      thread_([this] { work(); }) {}

ProcessRunner::~ProcessRunner() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_one();
  thread_.join();
}

void ProcessRunner::start(Start start) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(start));
  }
  ready_.notify_one();
}

void ProcessRunner::stop(const Stop& stop) {
  {
    const std::lock_guard lock(mutex_);
    const auto queued = std::find_if(queue_.begin(), queue_.end(), [&](const Start& start) {
      return start.attempt == stop.attempt;
    });
    if (queued != queue_.end()) {
      queue_.erase(queued);
      commands_.post({command::AttemptEnded{stop.attempt, cancelled()}});
      return;
    }
    if (planning_ == stop.attempt) {
      stop_after_ = stop;  // the executor does not know it yet
      return;
    }
  }
  executor_.stop(stop.attempt, stop.cause, stop.grace);
}

void ProcessRunner::work() {
  for (;;) {
    Start start;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      start = std::move(queue_.front());
      queue_.pop_front();
      planning_ = start.attempt;
    }
    plan_and_start(start);
    std::optional<Stop> stop;
    {
      const std::lock_guard lock(mutex_);
      planning_ = AttemptKey{};
      stop = std::exchange(stop_after_, std::nullopt);
    }
    if (stop) executor_.stop(stop->attempt, stop->cause, stop->grace);
  }
}

void ProcessRunner::plan_and_start(const Start& start) {
  ValueMap params;
  if (!start.params.empty()) {
    auto decoded = protocol::decode_params(start.params.bytes());
    if (!decoded) {
      commands_.post({command::AttemptEnded{start.attempt, rejected(decoded.error())}});
      return;
    }
    params = std::move(*decoded);
  }
  AttemptContext context;
  context.directory = directory_of(attempts_root_, start.attempt);
  context.environment = {{"TASKPIPE_TASK_ID", start.attempt.task.to_string()},
                         {"TASKPIPE_ATTEMPT", std::to_string(start.attempt.attempt.value())}};
  auto plan = planner_(*start.spec, params, context);
  if (!plan) {
    commands_.post({command::AttemptEnded{start.attempt, rejected(plan.error())}});
    return;
  }
  executor_.start(start.attempt, std::move(*plan));
}

}  // namespace taskpipe::worker
