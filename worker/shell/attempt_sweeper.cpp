#include "worker/shell/attempt_sweeper.hpp"

#include <utility>

#include "worker/exec/attempt_directory.hpp"

namespace taskpipe::worker {
namespace {

constexpr auto kInterval = std::chrono::hours(1);

}  // namespace

AttemptSweeper::AttemptSweeper(std::string attempts_root, std::uint64_t keep_bytes,
                               std::chrono::seconds keep_age, process::Logger& logger)
    : attempts_root_(std::move(attempts_root)),
      keep_bytes_(keep_bytes),
      keep_age_(keep_age),
      logger_(logger),
      thread_([this] { work(); }) {}

AttemptSweeper::~AttemptSweeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void AttemptSweeper::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    sweep();
    lock.lock();
    wake_.wait_for(lock, kInterval, [this] { return stopping_; });
  }
}

void AttemptSweeper::sweep() {
  const SweepResult swept = sweep_attempts(attempts_root_, keep_bytes_, keep_age_);
  for (const std::string& error : swept.errors) {
    logger_.warning("cannot remove an old attempt folder", {{"why", error}});
  }
  if (swept.removed == 0) return;
  logger_.info("removed old attempt folders", {{"removed", std::to_string(swept.removed)},
                                               {"freed_bytes", std::to_string(swept.freed_bytes)},
                                               {"kept", std::to_string(swept.kept)},
                                               {"kept_bytes", std::to_string(swept.kept_bytes)}});
}

}  // namespace taskpipe::worker
