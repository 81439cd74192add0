#include "worker/shell/spool_thread.hpp"

#include <utility>

namespace taskpipe::worker {

SpoolThread::SpoolThread(SpoolFolder folder, CommandMailbox& commands, process::Logger& logger,
                         std::chrono::milliseconds sync_delay)
    : folder_(std::move(folder)),
      commands_(commands),
      logger_(logger),
      sync_delay_(sync_delay),
      thread_([this] { work(); }) {}

SpoolThread::~SpoolThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_one();
  thread_.join();
}

void SpoolThread::post(Job job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  ready_.notify_one();
}

void SpoolThread::work() {
  std::vector<Job> jobs;
  const auto called = [this] { return stopping_ || !jobs_.empty(); };
  for (bool stopping = false; !stopping;) {
    {
      std::unique_lock lock(mutex_);
      if (unsynced_.empty()) {
        ready_.wait(lock, called);
      } else {
        ready_.wait_until(lock, unsynced_.front().first + sync_delay_, called);
      }
      std::swap(jobs, jobs_);
      stopping = stopping_ && jobs.empty();
    }
    carry_out(jobs);
    jobs.clear();
    const auto now = std::chrono::steady_clock::now();
    sync_written_before(stopping ? now : now - sync_delay_);
  }
}

void SpoolThread::carry_out(const std::vector<Job>& jobs) {
  std::vector<Command> stored;
  const auto now = std::chrono::steady_clock::now();
  for (const Job& job : jobs) {
    if (const auto* drop = std::get_if<SpoolDrop>(&job)) {
      folder_.remove(drop->attempt);
      to_sync_.erase(drop->attempt);
      continue;
    }
    const ResultItem& result = std::get<SpoolStore>(job).result;
    const auto written = folder_.write(result);
    if (written) {
      unsynced_.emplace_back(now, result.attempt);
      to_sync_.insert(result.attempt);
    } else {
      logger_.error("cannot spool a result", {{"why", written.error().text}});
    }
    stored.emplace_back(command::SpoolStored{result.attempt, written.has_value()});
  }
  if (!stored.empty()) commands_.post(std::move(stored));
}

void SpoolThread::sync_written_before(std::chrono::steady_clock::time_point end) {
  std::vector<AttemptKey> due;
  while (!unsynced_.empty() && unsynced_.front().first <= end) {
    if (to_sync_.erase(unsynced_.front().second) > 0) due.push_back(unsynced_.front().second);
    unsynced_.pop_front();
  }
  if (due.empty()) return;
  if (const auto synced = folder_.sync(due); !synced) {
    logger_.error("spooled results may not survive a power loss", {{"why", synced.error().text}});
  }
}

}  // namespace taskpipe::worker
