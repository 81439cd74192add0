// Decides where one message of a batch ends: items, bytes and blob frames are bounded.
#pragma once

#include <cstddef>

#include "common/model/limits.hpp"
#include "common/model/payload.hpp"

namespace taskpipe::worker {

class BatchBudget {
 public:
  // Takes room for an item of `bytes` without its payload; false when the batch must be closed
  // first. An empty batch admits any item: its own bounds were checked before.
  [[nodiscard]] bool admit(std::size_t bytes, const Payload& payload) {
    const std::size_t blobs = payload.size() > limits::kMaxInlinePayloadBytes ? 1 : 0;
    const std::size_t size = kItemOverheadBytes + bytes + payload.size();
    if (items_ > 0 &&
        (items_ + 1 > limits::kMaxBatchItems || bytes_ + size > limits::kMaxBatchBytes ||
         blobs_ + blobs > limits::kMaxBlobs)) {
      return false;
    }
    ++items_;
    bytes_ += size;
    blobs_ += blobs;
    return true;
  }
  void restart() { *this = BatchBudget(); }

 private:
  // Attempt key, numbers and msgpack headers of the largest item, from above.
  static constexpr std::size_t kItemOverheadBytes = 128;

  std::size_t items_ = 0;
  std::size_t bytes_ = 0;
  std::size_t blobs_ = 0;
};

}  // namespace taskpipe::worker
