// Waiting for what other threads do, with a deadline instead of a guess.
#pragma once

#include <poll.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "worker/shell/command_sink.hpp"

namespace taskpipe::worker::testing {

inline constexpr auto kPatience = std::chrono::seconds(20);

// Collects what threads report, and waits for it.
template <class T>
class Collected {
 public:
  void add(T value) {
    {
      const std::lock_guard lock(mutex_);
      values_.push_back(std::move(value));
    }
    changed_.notify_all();
  }
  void add_all(std::vector<T> values) {
    for (T& value : values) add(std::move(value));
  }
  // Everything so far, once there are at least `count`; fewer when the patience is over.
  std::vector<T> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return values_.size() >= count; });
    return values_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<T> values_;
};

// Takes from a mailbox until there are `count` commands; fewer when the patience is over.
inline std::vector<Command> take_commands(CommandMailbox& mailbox, std::size_t count) {
  std::vector<Command> all;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (all.size() < count && std::chrono::steady_clock::now() < deadline) {
    pollfd waiting{mailbox.fd(), POLLIN, 0};
    ::poll(&waiting, 1, 100);
    std::vector<std::vector<Command>> batches;
    mailbox.take(batches);
    for (auto& batch : batches) {
      for (Command& command : batch) all.push_back(std::move(command));
    }
  }
  return all;
}

}  // namespace taskpipe::worker::testing
