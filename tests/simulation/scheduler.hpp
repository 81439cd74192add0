// Virtual time: what is to happen when. Nothing waits; time jumps from one event to the next.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <utility>
#include <vector>

#include "common/model/time.hpp"
#include "tests/simulation/random.hpp"

namespace taskpipe::simulation {

// Held by a process while it lives. Events that belong to it do nothing once it is gone.
using Life = std::shared_ptr<char>;
[[nodiscard]] inline Life new_life() { return std::make_shared<char>('\0'); }

class Scheduler {
 public:
  using Action = std::function<void()>;

  [[nodiscard]] Now now() const { return {time_, WallTime{wall_ms()}}; }
  [[nodiscard]] MonotonicTime time() const { return time_; }
  // The clock on the wall is set forth or back; nothing may depend on it.
  void step_wall(Millis by) { wall_offset_ms_ += by.count(); }

  // Events of one instant happen in the order in which they were asked for.
  void at(MonotonicTime when, Action action) {
    events_.push({when < time_ ? time_ : when, ++last_number_, std::move(action)});
  }
  void after(Nanos delay, Action action) { at(time_ + delay, std::move(action)); }
  // Not when `life` is over by then.
  void after(Nanos delay, const Life& life, Action action) {
    at(time_ + delay, life, std::move(action));
  }
  void at(MonotonicTime when, const Life& life, Action action) {
    at(when, [watch = std::weak_ptr(life), action = std::move(action)] {
      if (!watch.expired()) action();
    });
  }

  // The next event, unless it lies beyond `end` or there is none.
  bool run_next(MonotonicTime end) {
    if (events_.empty() || events_.top().when > end) return false;
    // The queue only shows constant elements; this one is removed before it is used again.
    Event event = std::move(const_cast<Event&>(events_.top()));  // NOLINT(*-const-cast)
    events_.pop();
    in_this_instant_ = event.when == time_ ? in_this_instant_ + 1 : 0;
    time_ = event.when;
    ++count_;
    event.action();
    return true;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  // More in one instant than any part has reason for: one wakes itself for ever.
  [[nodiscard]] bool spins() const { return in_this_instant_ > kMostInOneInstant; }

 private:
  struct Event {
    MonotonicTime when;
    std::uint64_t number = 0;
    Action action;
    friend bool operator>(const Event& a, const Event& b) {
      return std::pair(a.when, a.number) > std::pair(b.when, b.number);
    }
  };
  static constexpr std::uint64_t kMostInOneInstant = 100'000;
  static constexpr std::int64_t kWallStartMs = 1'700'000'000'000;

  [[nodiscard]] std::int64_t wall_ms() const {
    return kWallStartMs + wall_offset_ms_ + time_.since_start.count() / 1'000'000;
  }

  MonotonicTime time_{std::chrono::hours(1)};
  std::int64_t wall_offset_ms_ = 0;
  std::uint64_t last_number_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t in_this_instant_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

}  // namespace taskpipe::simulation
