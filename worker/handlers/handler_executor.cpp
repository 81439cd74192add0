#include "worker/handlers/handler_executor.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "common/model/limits.hpp"
#include "common/model/run_report.hpp"
#include "common/protocol/value_codec.hpp"
#include "worker/handlers/handler_slot.hpp"

namespace taskpipe::worker {
namespace {

using Clock = std::chrono::steady_clock;

// A batch of results leaves when it has this many, when its oldest has waited this long, or when
// there is nothing left to do.
constexpr std::size_t kBatchEvents = 64;
constexpr auto kBatchAge = std::chrono::milliseconds(1);

Outcome failed(FailureClass failure, std::string reason) {
  Outcome outcome;
  outcome.state = TaskState::failure;
  outcome.failure = failure;
  outcome.exit_code = failure == FailureClass::exit ? 1 : 0;
  outcome.reason = std::move(reason);
  return outcome;
}

Outcome rejected(const Error& error) {
  Outcome outcome = failed(FailureClass::rejected, error.text);
  outcome.state = TaskState::error;
  return outcome;
}

Outcome cancelled(std::string reason) {
  Outcome outcome = failed(FailureClass::cancelled, std::move(reason));
  outcome.state = TaskState::cancelled;
  return outcome;
}

std::uint64_t micros_since(Clock::time_point began) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<Micros>(Clock::now() - began).count());
}

}  // namespace

HandlerExecutor::HandlerExecutor(const HandlerRegistry& registry, std::size_t threads,
                                 std::string node, Sink sink)
    : registry_(registry), node_(std::move(node)), sink_(std::move(sink)) {
  const std::size_t count = std::max<std::size_t>(threads, 1);
  slots_.reserve(count);
  threads_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) slots_.push_back(std::make_unique<Slot>(mutex_));
  live_threads_ = count;
  for (std::size_t i = 0; i < count; ++i) {
    threads_.emplace_back([this, slot = slots_[i].get()] { work(*slot); });
  }
}

HandlerExecutor::~HandlerExecutor() {
  while (!shut_down(Millis{60'000})) {
  }
}

bool HandlerExecutor::shut_down(Millis patience) {
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    for (const auto& slot : slots_) slot->ask_to_stop();
    work_ready_.notify_all();
    if (!thread_ended_.wait_for(lock, patience, [this] { return live_threads_ == 0; })) {
      return false;
    }
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  return true;
}

void HandlerExecutor::start(std::vector<HandlerJob>& jobs) {
  if (jobs.empty()) return;
  const std::size_t count = jobs.size();
  held_.fetch_add(count, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    for (HandlerJob& job : jobs) queue_.push_back(std::move(job));
  }
  jobs.clear();
  if (count == 1) {
    work_ready_.notify_one();
  } else {
    work_ready_.notify_all();
  }
}

void HandlerExecutor::stop(const AttemptKey& attempt, StopCause cause) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& slot : slots_) {
      if (!slot->runs(attempt)) continue;
      slot->ask_to_stop();
      return;
    }
    const auto queued = std::find_if(queue_.begin(), queue_.end(),
                                     [&](const HandlerJob& job) { return job.attempt == attempt; });
    if (queued == queue_.end()) return;
    queue_.erase(queued);
  }
  held_.fetch_sub(1, std::memory_order_relaxed);
  std::vector<ExecEvent> events;
  events.push_back(exec_event::Ended{
      attempt, cancelled(cause == StopCause::cancelled ? "cancelled before it had started"
                                                       : "superseded before it had started")});
  sink_(std::move(events));
}

void HandlerExecutor::poll_running(Millis announce_after, std::vector<ExecEvent>& out) {
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  for (const auto& slot : slots_) slot->poll(now, announce_after, out);
  // Results whose thread went on to something longer.
  held_.fetch_sub(ended_.size(), std::memory_order_relaxed);
  for (ExecEvent& event : ended_) out.push_back(std::move(event));
  ended_.clear();
}

void HandlerExecutor::work(Slot& slot) {
  std::unique_lock lock(mutex_);
  for (;;) {
    const bool idle = queue_.empty() || stopping_;
    if (!ended_.empty() &&
        (idle || ended_.size() >= kBatchEvents || Clock::now() - oldest_ended_ >= kBatchAge)) {
      std::vector<ExecEvent> events = std::exchange(ended_, {});
      held_.fetch_sub(events.size(), std::memory_order_relaxed);
      lock.unlock();
      sink_(std::move(events));
      lock.lock();
      continue;
    }
    if (stopping_) break;
    if (idle) {
      work_ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      continue;
    }
    const HandlerJob job = std::move(queue_.front());
    queue_.pop_front();
    slot.begin(job, stopping_);
    lock.unlock();
    exec_event::Ended event{job.attempt, run(job, slot)};
    lock.lock();
    slot.end();
    if (ended_.empty()) oldest_ended_ = Clock::now();
    ended_.emplace_back(std::move(event));
  }
  --live_threads_;
  thread_ended_.notify_all();
}

Outcome HandlerExecutor::run(const HandlerJob& job, Slot& slot) const {
  Handler* handler = registry_.find(job.spec->tool);
  if (handler == nullptr) {
    return rejected({ErrorCode::invalid, "there is no handler '" + job.spec->tool + "'", "tool"});
  }
  ValueMap params;
  if (handler->reads_params() && !job.params.empty()) {
    auto decoded = protocol::decode_params(job.params.bytes());
    if (!decoded) return rejected(decoded.error());
    params = std::move(*decoded);
  }
  tl::expected<Value, Error> result;
  try {
    result = handler->run(slot, params);
  } catch (const std::exception& e) {
    result = tl::unexpected(Error{ErrorCode::invalid, std::string("exception: ") + e.what(), ""});
  } catch (...) {
    result = tl::unexpected(
        Error{ErrorCode::invalid, "exception of a type that is no std::exception", ""});
  }
  Outcome outcome;
  if (auto limit = slot.exceeded_limit()) {
    outcome = failed(FailureClass::timeout, std::move(*limit));
    outcome.state = TaskState::timeout;
  } else if (!result && slot.stop_asked()) {
    outcome = cancelled("stopped on request");
  } else if (!result) {
    outcome = failed(FailureClass::exit, result.error().text);
  } else if (result->is_null()) {
    outcome.state = TaskState::success;
  } else {
    RunReport report;
    report.node = node_;
    report.value = std::move(*result);
    auto encoded = protocol::encode_report(report);
    if (encoded) {
      outcome.state = TaskState::success;
      outcome.report = std::move(*encoded);
    } else {
      outcome = failed(FailureClass::exit, "its result cannot be sent: " + encoded.error().text);
    }
  }
  outcome.usage.wall_us = micros_since(slot.began());
  return outcome;
}

}  // namespace taskpipe::worker
