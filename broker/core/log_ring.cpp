#include "broker/core/log_ring.hpp"

#include <algorithm>

#include "common/model/limits.hpp"

namespace taskpipe::broker {

void LogRing::append(std::uint64_t offset, std::string_view data) {
  if (offset + data.size() <= end()) return;
  if (offset < end()) {
    data.remove_prefix(static_cast<std::size_t>(end() - offset));
  } else if (offset > end()) {
    data_.clear();
    begin_ = offset;
  }
  data_ += data;
  // Cutting only at twice the size moves each byte at most once on average.
  if (data_.size() >= 2 * limits::kLogRingBytes) {
    const std::size_t surplus = data_.size() - limits::kLogRingBytes;
    data_.erase(0, surplus);
    begin_ += surplus;
  }
}

std::string_view LogRing::read(std::uint64_t offset, std::size_t length) const {
  if (offset < begin_ || offset >= end()) return {};
  return std::string_view(data_).substr(static_cast<std::size_t>(offset - begin_), length);
}

}  // namespace taskpipe::broker
