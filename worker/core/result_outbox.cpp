#include "worker/core/result_outbox.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "common/model/limits.hpp"
#include "worker/core/batch_budget.hpp"

namespace taskpipe::worker {
namespace {

constexpr Millis kResendAfter{limits::kResultResendMs};

std::uint64_t bytes_of(const Outcome& outcome) {
  return outcome.report.size() + outcome.reason.size();
}

}  // namespace

void ResultOutbox::load(ResultItem result) {
  const auto [position, added] = results_.try_emplace(result.attempt);
  if (!added) return;
  bytes_ += bytes_of(result.outcome);
  position->second.outcome = std::move(result.outcome);
  position->second.on_disk = true;
  position->second.sent_before = true;  // as far as anybody knows
  position->second.phase = Phase::sent;
}

void ResultOutbox::add(ResultItem result, bool storing) {
  const auto [position, added] = results_.try_emplace(result.attempt);
  assert(added);
  if (!added) return;
  ++in_memory_;
  bytes_ += bytes_of(result.outcome);
  Pending& pending = position->second;
  pending.outcome = std::move(result.outcome);
  pending.phase = Phase::storing;
  if (!storing) make_ready(position->first, pending);
}

void ResultOutbox::stored(const AttemptKey& attempt, bool kept) {
  const auto found = results_.find(attempt);
  if (found == results_.end()) return;
  Pending& pending = found->second;
  if (kept && !pending.on_disk) {
    pending.on_disk = true;
    --in_memory_;
  }
  if (pending.phase == Phase::storing) make_ready(attempt, pending);
}

void ResultOutbox::make_ready(const AttemptKey& attempt, Pending& pending) {
  pending.phase = Phase::ready;
  ready_.push_back(attempt);
}

std::vector<AttemptKey> ResultOutbox::begin_session(MonotonicTime now) {
  std::vector<AttemptKey> listed;
  listed.reserve(results_.size());
  for (auto& [attempt, pending] : results_) {
    listed.push_back(attempt);
    if (pending.phase == Phase::storing) continue;
    pending.phase = Phase::sent;
    pending.sent_at = now;
  }
  std::sort(listed.begin(), listed.end());
  ready_.clear();
  resend_scan_at_.reset();
  if (!listed.empty()) resend_scan_at_ = now + kResendAfter;
  return listed;
}

void ResultOutbox::resend(const AttemptKey& attempt) {
  const auto found = results_.find(attempt);
  if (found == results_.end() || found->second.phase != Phase::sent) return;
  make_ready(attempt, found->second);
}

ResultOutbox::Disposal ResultOutbox::acknowledge(const AttemptKey& attempt, ErrorCode code) {
  switch (code) {
    case ErrorCode::ok:
    case ErrorCode::stale_attempt:
    case ErrorCode::unknown_task: return forget(attempt);
    default: return contains(attempt) ? Disposal::kept : Disposal::unknown;
  }
}

ResultOutbox::Disposal ResultOutbox::forget(const AttemptKey& attempt) {
  const auto found = results_.find(attempt);
  if (found == results_.end()) return Disposal::unknown;
  const bool on_disk = found->second.on_disk;
  // One that is being stored leaves a file behind as well, so it is dropped after the store.
  const bool has_file = on_disk || found->second.phase == Phase::storing;
  if (!on_disk) --in_memory_;
  bytes_ -= bytes_of(found->second.outcome);
  results_.erase(found);
  return has_file ? Disposal::forgotten_on_disk : Disposal::forgotten;
}

void ResultOutbox::scan_for_resend(MonotonicTime now) {
  std::vector<AttemptKey> late;
  std::optional<MonotonicTime> oldest;
  for (const auto& [attempt, pending] : results_) {
    if (pending.phase != Phase::sent) continue;
    if (pending.sent_at + kResendAfter <= now) {
      late.push_back(attempt);
    } else if (!oldest || pending.sent_at < *oldest) {
      oldest = pending.sent_at;
    }
  }
  std::sort(late.begin(), late.end());
  for (const AttemptKey& attempt : late) make_ready(attempt, results_.find(attempt)->second);
  resend_scan_at_.reset();
  if (oldest) resend_scan_at_ = *oldest + kResendAfter;
}

void ResultOutbox::flush(MonotonicTime now, std::vector<ResultBatch>& out) {
  if (resend_scan_at_ && now >= *resend_scan_at_) scan_for_resend(now);
  BatchBudget budget;
  bool open = false;
  for (; !ready_.empty(); ready_.pop_front()) {
    const auto found = results_.find(ready_.front());
    if (found == results_.end() || found->second.phase != Phase::ready) continue;
    Pending& pending = found->second;
    const bool fits = budget.admit(pending.outcome.reason.size(), pending.outcome.report);
    if (!open || !fits || out.back().resend != pending.sent_before) {
      if (open) {
        budget.restart();
        (void)budget.admit(pending.outcome.reason.size(), pending.outcome.report);
      }
      out.push_back({Result{}, pending.sent_before});
      open = true;
    }
    out.back().result.items.push_back({found->first, pending.outcome});
    pending.phase = Phase::sent;
    pending.sent_before = true;
    pending.sent_at = now;
    if (!resend_scan_at_) resend_scan_at_ = now + kResendAfter;
  }
}

}  // namespace taskpipe::worker
