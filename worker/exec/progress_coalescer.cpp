#include "worker/exec/progress_coalescer.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/protocol/utf8.hpp"

namespace taskpipe::worker {

void ProgressCoalescer::add(const ParsedLine& line) {
  const bool has_percent = line.percent >= 0.0;  // false for NaN too
  if (!has_percent && line.message.empty() && line.metrics.empty()) return;
  if (!pending_) pending_.emplace();
  if (has_percent) pending_->percent = std::min(line.percent, 100.0);
  if (!line.message.empty())
    pending_->message = protocol::to_utf8(line.message, limits::kMaxTextBytes);
  for (const auto& [name, value] : line.metrics) {
    if (!std::isfinite(value) || name.empty()) continue;
    std::string key = protocol::to_utf8(name, limits::kMaxNameBytes);
    const auto known = last_metrics_.find(key);
    if (known != last_metrics_.end()) {
      known->second = value;
    } else if (last_metrics_.size() < limits::kMaxMetrics) {
      last_metrics_.emplace(key, value);
    } else {
      continue;
    }
    auto& metrics = pending_->metrics;
    const auto same = std::find_if(metrics.begin(), metrics.end(),
                                   [&](const auto& metric) { return metric.first == key; });
    if (same != metrics.end()) {
      same->second = value;
    } else {
      metrics.emplace_back(std::move(key), value);
    }
  }
  const bool empty = pending_->percent < 0.0 && pending_->message.empty();
  if (empty && pending_->metrics.empty()) pending_.reset();  // nothing of it was usable
}

std::optional<MonotonicTime> ProgressCoalescer::due() const {
  return pending_ ? std::optional(not_before_) : std::nullopt;
}

std::optional<ParsedLine> ProgressCoalescer::take(MonotonicTime now) {
  if (!pending_) return std::nullopt;
  not_before_ = now + Millis(limits::kProgressIntervalMs);
  return std::exchange(pending_, std::nullopt);
}

}  // namespace taskpipe::worker
