// The parts of ExecutorLoop that start the spawner, notice its loss, replace it, and end
// everything.
#include <sys/epoll.h>

#include <chrono>
#include <utility>

#include "common/model/limits.hpp"
#include "worker/exec/executor_loop.hpp"

namespace taskpipe::worker {

bool ExecutorLoop::start_spawner() {
  const auto window = Millis(limits::kSpawnerRestartWindowMs);
  while (!restarts_.empty() && restarts_.front() + window <= now_) restarts_.pop_front();
  if (restarts_.size() > limits::kMaxSpawnerRestarts) {
    broken_reason_ = "the worker's taskpipe-spawner died " + std::to_string(restarts_.size()) +
                     " times within " + std::to_string(limits::kSpawnerRestartWindowMs / 1000) +
                     " s: see the worker's log, and whether its host is out of memory";
    return false;
  }
  restarts_.push_back(now_);
  auto started = SpawnerLink::start(options_.spawner);
  if (!started) {
    broken_reason_ = std::move(started.error().text);
    return false;
  }
  link_ = std::move(*started);
  link_watches_write_ = false;
  memory_control_ = link_->memory_control();
  watch(link_->fd(), tag_of(Source::link), EPOLLIN);
  watch(link_->lifeline_fd(), tag_of(Source::lifeline), EPOLLIN);
  return true;
}

void ExecutorLoop::flush() {
  if (link_ == nullptr || spawner_gone_by_) return;
  if (!link_->flush()) return on_spawner_lost();
  const bool wants = link_->wants_write();
  if (wants == link_watches_write_) return;
  link_watches_write_ = wants;
  watch(link_->fd(), tag_of(Source::link), wants ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

// Its guards see it too and kill what they guard; the lifeline tells when they are done.
void ExecutorLoop::on_spawner_lost() {
  if (spawner_gone_by_) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, link_->fd(), nullptr);
  spawner_gone_by_ = now_ + Millis(limits::kSpawnerEndMs);
}

void ExecutorLoop::replace_spawner() {
  const std::string ending = link_->wait_until_gone(Millis(0));
  end_all("the worker's taskpipe-spawner " + ending + " while the task ran");
  link_.reset();
  spawner_gone_by_.reset();
  const bool started = start_spawner();
  for (auto& start : std::exchange(waiting_, {})) {
    if (started) {
      begin(std::move(start));
    } else {
      end_at_once(start.attempt, spawn_error(broken_reason_));
    }
  }
}

void ExecutorLoop::end_all(const std::string& why) {
  for (const auto& [run, attempt] : attempts_) {
    if (attempt->finishing()) continue;
    const EndFacts facts = facts_of(*attempt);
    finish(run, facts.cause == EndCause::none ? spawn_error(why)
                                              : outcome_of(spawn_message::SpawnFailed{}, facts));
  }
}

void ExecutorLoop::shut_down() {
  for (const auto& [run, attempt] : attempts_) attempt->ask_to_end(EndCause::shutdown, now_);
  for (auto& start : std::exchange(waiting_, {})) on_command(start);
  if (link_ != nullptr) link_->wait_until_gone(Millis(limits::kSpawnerEndMs));
  now_ = MonotonicTime{std::chrono::steady_clock::now().time_since_epoch()};
  end_all("");
  link_.reset();
  finisher_.reset();  // delivers what it still holds
  take_commands();
}

}  // namespace taskpipe::worker
