#include "worker/shell/spool_thread.hpp"

#include <utility>

namespace taskpipe::worker {

SpoolThread::SpoolThread(SpoolFolder folder, CommandMailbox& commands, process::Logger& logger)
    : folder_(std::move(folder)),
      commands_(commands),
      logger_(logger),
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
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      std::swap(jobs, jobs_);
    }
    carry_out(jobs);
    jobs.clear();
  }
}

void SpoolThread::carry_out(const std::vector<Job>& jobs) {
  std::vector<command::SpoolStored> stored;
  for (const Job& job : jobs) {
    if (const auto* drop = std::get_if<SpoolDrop>(&job)) {
      folder_.remove(drop->attempt);
      continue;
    }
    const ResultItem& result = std::get<SpoolStore>(job).result;
    const auto written = folder_.write(result);
    if (!written) logger_.error("cannot spool a result", {{"why", written.error().text}});
    stored.push_back({result.attempt, written.has_value()});
  }
  if (stored.empty()) return;
  if (const auto synced = folder_.sync(); !synced) {
    logger_.error("cannot spool results", {{"why", synced.error().text}});
    for (auto& item : stored) item.durable = false;
  }
  commands_.post(std::vector<Command>(stored.begin(), stored.end()));
}

}  // namespace taskpipe::worker
