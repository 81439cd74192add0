// What one thread of HandlerExecutor is busy with. Seen by handler_executor.cpp only.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "worker/handlers/handler.hpp"
#include "worker/handlers/handler_executor.hpp"

namespace taskpipe::worker {

// Doubles as the context of the handler that the thread is running.
class HandlerExecutor::Slot final : public HandlerContext {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Slot(std::mutex& mutex) : mutex_(mutex) {}

  // --- by the pool, under the mutex
  void begin(const HandlerJob& job, bool stopping) {
    job_ = &job;
    began_ = Clock::now();
    announced_ = false;
    said_something_ = false;
    stop_asked_.store(stopping, std::memory_order_relaxed);
    deadline_ = moment_after(began_, job.spec->limits.run_time_ms);
    silent_until_ = moment_after(began_, job.spec->limits.no_progress_ms);
  }
  void end() { job_ = nullptr; }
  [[nodiscard]] bool runs(const AttemptKey& key) const {
    return job_ != nullptr && job_->attempt == key;
  }
  void ask_to_stop() {
    stop_asked_.store(true, std::memory_order_relaxed);
    woken_.notify_all();
  }
  // Made in place: of a moved variant GCC 12 says at -O2 that members are not initialised.
  void poll(Clock::time_point now, Millis announce_after, std::vector<ExecEvent>& out) {
    if (job_ == nullptr || now - began_ < announce_after) return;
    if (!std::exchange(announced_, true)) out.emplace_back(exec_event::Started{job_->attempt, 0});
    if (!std::exchange(said_something_, false)) return;
    out.emplace_back(exec_event::Progressed{job_->attempt, said_});
  }

  // --- by the thread that runs the handler
  [[nodiscard]] Clock::time_point began() const { return began_; }
  [[nodiscard]] bool stop_asked() const { return stop_asked_.load(std::memory_order_relaxed); }
  // The reason of its end, when it has exceeded a limit. The first one decides, whatever the
  // handler did afterwards.
  [[nodiscard]] std::optional<std::string> exceeded_limit() const {
    const auto now = Clock::now();
    const bool late = deadline_ && now >= *deadline_;
    const bool silent = silent_until_ && now >= *silent_until_;
    const TaskLimits& given = job_->spec->limits;
    if (silent && !(late && *deadline_ <= *silent_until_)) {
      return no_progress_reason(Millis{static_cast<std::int64_t>(given.no_progress_ms)});
    }
    if (!late) return std::nullopt;
    return "exceeded its time limit of " + std::to_string(given.run_time_ms) + " ms";
  }

  const AttemptKey& attempt() const override { return job_->attempt; }
  const TaskSpec& spec() const override { return *job_->spec; }
  bool cancelled() const override {
    const auto limit = first_limit();
    return stop_asked() || (limit && Clock::now() >= *limit);
  }
  void progress(double percent, std::string_view message) override {
    if (silent_until_) {
      // A limit that has been exceeded stays so.
      if (const auto now = Clock::now(); now < *silent_until_) {
        silent_until_ = moment_after(now, job_->spec->limits.no_progress_ms);
      }
    }
    const std::lock_guard lock(mutex_);
    said_.percent = percent;
    said_.message = message;
    said_something_ = true;
  }
  bool sleep(Millis duration) override {
    const auto until = Clock::now() + std::min<Clock::duration>(duration, kLongestSleep);
    const auto limit = first_limit();
    const auto wake = limit ? std::min(until, *limit) : until;
    std::unique_lock lock(mutex_);
    woken_.wait_until(lock, wake, [this] { return stop_asked(); });
    lock.unlock();
    return !cancelled();
  }

 private:
  static constexpr std::uint64_t kLongestLimitMs = std::uint64_t{365} * 24 * 3600 * 1000;
  static constexpr auto kLongestSleep = std::chrono::hours(365 * 24);

  static std::optional<Clock::time_point> moment_after(Clock::time_point from,
                                                       std::uint64_t limit_ms) {
    if (limit_ms == 0) return std::nullopt;
    return from + std::chrono::milliseconds(std::min(limit_ms, kLongestLimitMs));
  }
  [[nodiscard]] std::optional<Clock::time_point> first_limit() const {
    if (deadline_ && silent_until_) return std::min(*deadline_, *silent_until_);
    return deadline_ ? deadline_ : silent_until_;
  }

  std::mutex& mutex_;
  std::condition_variable woken_;
  const HandlerJob* job_ = nullptr;  // of the thread's stack
  Clock::time_point began_;
  std::optional<Clock::time_point> deadline_;
  std::optional<Clock::time_point> silent_until_;  // moved by the handler's own reports
  std::atomic<bool> stop_asked_{false};
  bool announced_ = false;
  bool said_something_ = false;
  ParsedLine said_;
};

}  // namespace taskpipe::worker
