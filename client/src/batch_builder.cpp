#include "client/src/batch_builder.hpp"

#include <algorithm>
#include <utility>

namespace taskpipe::client {
namespace {

// Id, spec index, hash and the map around them, generously.
constexpr std::size_t kItemOverheadBytes = 96;

std::size_t blobs_of(const Payload& params) {
  return params.size() > limits::kMaxInlinePayloadBytes ? 1 : 0;
}

}  // namespace

BatchLimits BatchLimits::of(const Welcome& welcome) {
  BatchLimits limits;
  if (welcome.max_batch_items > 0) {
    limits.items = std::min<std::size_t>(limits.items, welcome.max_batch_items);
  }
  if (welcome.max_message_bytes > 0) {
    limits.bytes = std::min<std::size_t>(limits.bytes, welcome.max_message_bytes);
  }
  return limits;
}

bool BatchBuilder::has_room_for(const PreparedTask& task) const {
  if (items_.empty()) return true;
  if (items_.size() >= limits_.items) return false;
  // A spec that is already aboard costs nothing; asking the table for each task would cost more
  // than closing a message a little early.
  const bool repeats = task.spec.get() == last_spec_;
  const std::size_t spec_bytes = repeats ? 0 : task.spec->encoded_bytes;
  const std::size_t spec_blobs = repeats ? 0 : task.spec->blobs;
  return bytes_ + task.params.size() + kItemOverheadBytes + spec_bytes <= limits_.bytes &&
         blobs_ + blobs_of(task.params) + spec_blobs <= limits::kMaxBlobs;
}

void BatchBuilder::add(const PreparedTask& task) {
  if (task.spec.get() != last_spec_) {
    const auto next = static_cast<std::uint32_t>(specs_.size());
    const auto [found, added] = index_of_.try_emplace(task.spec.get(), next);
    if (added) {
      specs_.push_back(task.spec->spec);
      bytes_ += task.spec->encoded_bytes;
      blobs_ += task.spec->blobs;
    }
    last_spec_ = task.spec.get();
    last_index_ = found->second;
  }
  bytes_ += task.params.size() + kItemOverheadBytes;
  blobs_ += blobs_of(task.params);
  items_.push_back(SubmitItem{task.id, last_index_, task.params, task.params_hash});
}

}  // namespace taskpipe::client
