#include "worker/core/attempt_table.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace taskpipe::worker {

HeldAttempt* AttemptTable::add(const AttemptKey& key, AttemptKind kind, TaskSpecPtr spec,
                               Payload params) {
  auto [position, added] = attempts_.try_emplace(key);
  if (!added) return nullptr;
  HeldAttempt& attempt = position->second;
  attempt.kind = kind;
  attempt.spec = std::move(spec);
  attempt.params = std::move(params);
  ++queued_count_;
  return &attempt;
}

HeldAttempt* AttemptTable::find(const AttemptKey& key) {
  const auto found = attempts_.find(key);
  return found == attempts_.end() ? nullptr : &found->second;
}

bool AttemptTable::is_queued(const AttemptKey& key) const {
  const auto found = attempts_.find(key);
  return found != attempts_.end() && found->second.queued();
}

bool AttemptTable::holds_task(const TaskId& task) const {
  return std::any_of(attempts_.begin(), attempts_.end(),
                     [&](const Map::value_type& entry) { return entry.first.task == task; });
}

void AttemptTable::mark_running(HeldAttempt& attempt) {
  assert(attempt.queued());
  attempt.state = Running{};
  --queued_count_;
}

void AttemptTable::erase(const AttemptKey& key) {
  const auto found = attempts_.find(key);
  if (found == attempts_.end()) return;
  if (found->second.queued()) --queued_count_;
  attempts_.erase(found);
}

void AttemptTable::drop_queued() {
  std::erase_if(attempts_, [](const Map::value_type& entry) { return entry.second.queued(); });
  queued_count_ = 0;
}

std::vector<AttemptKey> AttemptTable::wanted_keys() const {
  std::vector<AttemptKey> found = keys(false);
  std::erase_if(found, [this](const AttemptKey& key) {
    return std::get<Running>(attempts_.at(key).state).abandoned;
  });
  return found;
}

std::vector<AttemptKey> AttemptTable::keys(bool queued) const {
  std::vector<AttemptKey> found;
  for (const auto& [key, attempt] : attempts_) {
    if (attempt.queued() == queued) found.push_back(key);
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace taskpipe::worker
