#include "worker/shell/process_runner.hpp"

#include <unistd.h>

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

Outcome without_inputs(const Error& error) {
  Outcome outcome;
  outcome.state = TaskState::error;
  outcome.failure = FailureClass::spawn;
  outcome.reason = error.text;
  return outcome;
}

// What an attempt that does not start has got.
void discard(const std::vector<RunPlan::Input>& inputs) {
  for (const auto& input : inputs) ::unlink(input.source.c_str());
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

void ProcessRunner::fetch_inputs_by(InputFetcher* inputs) {
  const std::lock_guard lock(mutex_);
  inputs_ = inputs;
}

void ProcessRunner::start(Start start) {
  if (start.spec->inputs.empty()) {
    enqueue({std::move(start), {}});
  } else {
    fetch_inputs(std::move(start));
  }
}

void ProcessRunner::enqueue(Planned planned) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(planned));
  }
  ready_.notify_one();
}

void ProcessRunner::fetch_inputs(Start start) {
  const AttemptKey attempt = start.attempt;
  const TaskSpecPtr spec = start.spec;
  const std::lock_guard lock(mutex_);
  if (inputs_ == nullptr) {
    commands_.post({command::AttemptEnded{
        attempt, without_inputs({ErrorCode::unsupported, "this worker fetches no inputs", ""})}});
    return;
  }
  fetching_.insert(attempt);
  inputs_->fetch(attempt, spec, [this, start = std::move(start)](InputFetcher::Fetched fetched) {
    on_fetched(start, std::move(fetched));
  });
}

void ProcessRunner::on_fetched(Start start, InputFetcher::Fetched fetched) {
  {
    const std::lock_guard lock(mutex_);
    if (fetching_.erase(start.attempt) == 0) {
      if (fetched) discard(*fetched);
      return;  // stopped meanwhile
    }
    if (!fetched) {
      commands_.post({command::AttemptEnded{start.attempt, without_inputs(fetched.error())}});
      return;
    }
    queue_.push_back({std::move(start), std::move(*fetched)});
  }
  ready_.notify_one();
}

void ProcessRunner::stop(const Stop& stop) {
  {
    const std::lock_guard lock(mutex_);
    if (fetching_.erase(stop.attempt) > 0) {
      inputs_->give_up(stop.attempt);
      commands_.post({command::AttemptEnded{stop.attempt, cancelled()}});
      return;
    }
    const auto queued = std::find_if(queue_.begin(), queue_.end(), [&](const Planned& planned) {
      return planned.start.attempt == stop.attempt;
    });
    if (queued != queue_.end()) {
      discard(queued->inputs);
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
    Planned planned;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      planned = std::move(queue_.front());
      queue_.pop_front();
      planning_ = planned.start.attempt;
    }
    plan_and_start(std::move(planned));
    std::optional<Stop> stop;
    {
      const std::lock_guard lock(mutex_);
      planning_ = AttemptKey{};
      stop = std::exchange(stop_after_, std::nullopt);
    }
    if (stop) executor_.stop(stop->attempt, stop->cause, stop->grace);
  }
}

void ProcessRunner::plan_and_start(Planned planned) {
  const Start& start = planned.start;
  ValueMap params;
  if (!start.params.empty()) {
    auto decoded = protocol::decode_params(start.params.bytes());
    if (!decoded) {
      discard(planned.inputs);
      commands_.post({command::AttemptEnded{start.attempt, rejected(decoded.error())}});
      return;
    }
    params = std::move(*decoded);
  }
  AttemptContext context;
  context.directory = directory_of(attempts_root_, start.attempt);
  context.attempt = start.attempt.task.to_string() + "-" +
                    std::to_string(start.attempt.epoch.value()) + "-" +
                    std::to_string(start.attempt.attempt.value());
  context.environment = {{"TASKPIPE_TASK_ID", start.attempt.task.to_string()},
                         {"TASKPIPE_ATTEMPT", std::to_string(start.attempt.attempt.value())}};
  for (const auto& input : planned.inputs) {
    if (input.name == start.spec->script) context.script_source = input.source;
  }
  auto plan = planner_(*start.spec, params, context);
  if (!plan) {
    discard(planned.inputs);
    commands_.post({command::AttemptEnded{start.attempt, rejected(plan.error())}});
    return;
  }
  plan->inputs = std::move(planned.inputs);
  executor_.start(start.attempt, std::move(*plan));
}

}  // namespace taskpipe::worker
