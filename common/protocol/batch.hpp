// When to close a message and begin the next.
#pragma once

#include <cstddef>

#include "common/model/limits.hpp"
#include "common/model/payload.hpp"

namespace taskpipe::protocol {

// A message ends at limits::kMaxBatchItems items, kMaxBlobs blobs or kMaxBatchBytes bytes. One item
// alone always fits, however large.
//
//   BatchBudget budget;
//   for (const auto& item : waiting) {
//     if (!budget.take(encoded_size_bound(item), blobs_of(item.params))) flush, budget = {}, …
//   }
class BatchBudget {
 public:
  // Counts an item in, unless the message must be sent first.
  [[nodiscard]] bool take(std::size_t bytes, std::size_t blobs) {
    const bool fits = items_ < limits::kMaxBatchItems && blobs_ + blobs <= limits::kMaxBlobs &&
                      bytes_ + bytes <= limits::kMaxBatchBytes;
    if (!fits && items_ != 0) return false;
    ++items_;
    blobs_ += blobs;
    bytes_ += bytes;
    return true;
  }
  [[nodiscard]] std::size_t items() const { return items_; }
  [[nodiscard]] bool empty() const { return items_ == 0; }

 private:
  std::size_t items_ = 0;
  std::size_t blobs_ = 0;
  std::size_t bytes_ = 0;
};

// 1 when the payload travels as a blob, 0 when it travels inside the body.
[[nodiscard]] inline std::size_t blobs_of(const Payload& payload) {
  return payload.size() > limits::kMaxInlinePayloadBytes ? 1 : 0;
}

}  // namespace taskpipe::protocol
