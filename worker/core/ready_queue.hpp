// Accepted work that has not started: larger priority first, then earlier arrival, strictly. A task
// that does not fit yet is not overtaken, so that a large one cannot starve behind small ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>

#include "common/model/ids.hpp"

namespace taskpipe::worker {

// Holds keys only. What leaves out of turn (recalled, cancelled) is removed lazily: the caller
// forgets the attempt and the queue drops the entry when it meets it.
class ReadyQueue {
 public:
  void push(std::int32_t priority, const AttemptKey& attempt) {
    lanes_[priority].push_back(attempt);
    ++entries_;
  }

  // The entry to start next, skipping those that `is_queued` denies; null when there is none.
  template <class Predicate>
  [[nodiscard]] const AttemptKey* head(const Predicate& is_queued) {
    while (!lanes_.empty()) {
      auto& lane = lanes_.begin()->second;
      while (!lane.empty() && !is_queued(lane.front())) {
        lane.pop_front();
        --entries_;
      }
      if (!lane.empty()) return &lane.front();
      lanes_.erase(lanes_.begin());
    }
    return nullptr;
  }
  // Drops the entry that `head` returned.
  void pop() {
    lanes_.begin()->second.pop_front();
    --entries_;
  }

  // Drops every entry that `is_queued` denies. Worth it once most entries are such.
  template <class Predicate>
  void compact(const Predicate& is_queued) {
    entries_ = 0;
    for (auto& [priority, lane] : lanes_) {
      std::erase_if(lane, [&](const AttemptKey& key) { return !is_queued(key); });
      entries_ += lane.size();
    }
  }
  void clear() {
    lanes_.clear();
    entries_ = 0;
  }
  // With those that were removed lazily.
  [[nodiscard]] std::size_t entries() const { return entries_; }

 private:
  std::map<std::int32_t, std::deque<AttemptKey>, std::greater<>> lanes_;
  std::size_t entries_ = 0;
};

}  // namespace taskpipe::worker
