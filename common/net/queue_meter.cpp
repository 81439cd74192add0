#include "common/net/queue_meter.hpp"

#include <algorithm>

namespace taskpipe::net {

const std::shared_ptr<QueueMeter>& PeerMeters::of(std::uint64_t routing) {
  const auto known = meters_.find(routing);
  if (known != meters_.end()) return known->second;
  if (meters_.size() >= sweep_at_) {
    std::erase_if(meters_, [](const auto& entry) { return entry.second->bytes() == 0; });
    sweep_at_ = std::max<std::size_t>(64, 2 * meters_.size());
  }
  return meters_.emplace(routing, std::make_shared<QueueMeter>(all_)).first->second;
}

}  // namespace taskpipe::net
