// How much unstarted work the broker may send ahead, in tasks and in bytes (of params and inline
// scripts).
//
// Both counters are cumulative since HELLO, so that a lost or repeated CREDIT does no harm:
//   granted = consumed + window,
// where consumed is what left the queue: started, refused, given back, cancelled. The broker sends
// while its own count of sent work is below what was granted, so the queue never exceeds the
// window.
#pragma once

#include <cstdint>
#include <optional>

#include "common/model/messages.hpp"

namespace taskpipe::worker {

class CreditWindow {
 public:
  CreditWindow(std::uint64_t tasks, std::uint64_t bytes)
      : window_tasks_(tasks), window_bytes_(bytes) {}

  // A new HELLO: both sides count from zero.
  void restart() {
    consumed_tasks_ = 0;
    consumed_bytes_ = 0;
    granted_ = Credit{};
  }

  void consume(std::uint64_t bytes) {
    ++consumed_tasks_;
    consumed_bytes_ += bytes;
  }

  // A grant is worth a message: the first one, and afterwards each time a sixteenth of the window
  // was consumed. The rest of the window is still open meanwhile.
  [[nodiscard]] bool grant_due() const {
    const Credit now = present();
    const bool worth = (now.slots_total - granted_.slots_total) * kShares >= window_tasks_ ||
                       (now.bytes_total - granted_.bytes_total) * kShares >= window_bytes_;
    return granted_ == Credit{} || (worth && now != granted_);
  }
  // The grant to announce now, if it is due.
  [[nodiscard]] std::optional<Credit> take_grant() {
    if (!grant_due()) return std::nullopt;
    granted_ = present();
    return granted_;
  }

  [[nodiscard]] std::uint64_t window_tasks() const { return window_tasks_; }

 private:
  static constexpr std::uint64_t kShares = 16;

  [[nodiscard]] Credit present() const {
    return {consumed_tasks_ + window_tasks_, consumed_bytes_ + window_bytes_};
  }

  std::uint64_t window_tasks_;
  std::uint64_t window_bytes_;
  std::uint64_t consumed_tasks_ = 0;
  std::uint64_t consumed_bytes_ = 0;
  Credit granted_;
};

}  // namespace taskpipe::worker
