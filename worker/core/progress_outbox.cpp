#include "worker/core/progress_outbox.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/model/limits.hpp"
#include "worker/core/batch_budget.hpp"
#include "worker/core/clean_text.hpp"

namespace taskpipe::worker {
namespace {

void merge_metric(std::vector<std::pair<std::string, double>>& metrics, std::string name,
                  double value) {
  const auto same = std::find_if(metrics.begin(), metrics.end(),
                                 [&](const auto& metric) { return metric.first == name; });
  if (same != metrics.end()) {
    same->second = value;
  } else if (metrics.size() < limits::kMaxMetrics) {
    metrics.emplace_back(std::move(name), value);
  }
}

std::size_t bytes_of(const ProgressItem& item) {
  std::size_t bytes = item.message.size();
  for (const auto& [name, value] : item.metrics) bytes += name.size() + 16;
  return bytes;
}

}  // namespace

void ProgressOutbox::merge(const AttemptKey& attempt, const ParsedLine& line) {
  Slot& slot = slots_[attempt];
  ProgressItem& item = slot.pending;
  item.attempt = attempt;
  if (std::isfinite(line.percent) && line.percent >= 0)
    item.percent = std::min(line.percent, 100.0);
  if (!line.message.empty()) item.message = clean_text(line.message, limits::kMaxTextBytes);
  for (const auto& [name, value] : line.metrics) {
    if (!std::isfinite(value) || name.empty()) continue;
    merge_metric(item.metrics, clean_text(name, limits::kMaxNameBytes), value);
  }
  if (!slot.dirty) dirty_.push_back(attempt);
  slot.dirty = true;
}

void ProgressOutbox::forget(const AttemptKey& attempt) {
  const auto found = slots_.find(attempt);
  if (found == slots_.end()) return;
  if (found->second.dirty) std::erase(dirty_, attempt);
  slots_.erase(found);
}

MonotonicTime ProgressOutbox::due(const Slot& slot) {
  if (!slot.last_sent) return MonotonicTime{};
  return *slot.last_sent + Millis{limits::kProgressIntervalMs};
}

void ProgressOutbox::flush(MonotonicTime now, std::vector<Progress>& out) {
  BatchBudget budget;
  bool open = false;
  std::erase_if(dirty_, [&](const AttemptKey& attempt) {
    Slot& slot = slots_.find(attempt)->second;
    if (due(slot) > now) return false;
    const std::size_t bytes = bytes_of(slot.pending);
    if (!open || !budget.admit(bytes, Payload{})) {
      budget.restart();
      (void)budget.admit(bytes, Payload{});
      out.emplace_back();
      open = true;
    }
    out.back().items.push_back(slot.pending);
    slot.pending.metrics.clear();  // percent and message stand until replaced
    slot.dirty = false;
    slot.last_sent = now;
    return true;
  });
}

std::optional<MonotonicTime> ProgressOutbox::next_deadline() const {
  std::optional<MonotonicTime> earliest;
  for (const AttemptKey& attempt : dirty_) {
    const MonotonicTime at = due(slots_.find(attempt)->second);
    if (!earliest || at < *earliest) earliest = at;
  }
  return earliest;
}

}  // namespace taskpipe::worker
