// How much a socket holds for its peers: bytes that were handed to libzmq and are not on the
// network yet. Its high-water mark counts messages, and a message may be sixteen megabytes.
//
// Counted up where a frame is handed over, and down where libzmq lets go of its bytes, on its own
// thread. Frames below limits::kUnmeteredBytes are not counted: the high-water mark bounds those.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>

namespace taskpipe::net {

class QueueMeter {
 public:
  // `all` is the sum over several meters; it must outlive none of them.
  explicit QueueMeter(std::shared_ptr<QueueMeter> all = nullptr) : all_(std::move(all)) {}

  void add(std::size_t bytes) {
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (all_) all_->add(bytes);
  }
  void subtract(std::size_t bytes) {
    bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    if (all_) all_->subtract(bytes);
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> bytes_{0};
  std::shared_ptr<QueueMeter> all_;
};

// The meters of a ROUTER's peers. A peer's is made when something is sent to it and forgotten once
// nothing of it is queued. Amortized O(1).
class PeerMeters {
 public:
  [[nodiscard]] const std::shared_ptr<QueueMeter>& of(std::uint64_t routing);
  // For all peers together.
  [[nodiscard]] std::uint64_t bytes() const { return all_->bytes(); }
  [[nodiscard]] std::size_t size() const { return meters_.size(); }

 private:
  std::shared_ptr<QueueMeter> all_ = std::make_shared<QueueMeter>();
  std::unordered_map<std::uint64_t, std::shared_ptr<QueueMeter>> meters_;
  std::size_t sweep_at_ = 64;
};

}  // namespace taskpipe::net
