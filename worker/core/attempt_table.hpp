// The attempts this worker holds: queued (sent to it, not started) or running. What has ended is in
// the ResultOutbox.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <variant>
#include <vector>

#include "common/model/ids.hpp"
#include "common/model/payload.hpp"
#include "common/model/task.hpp"
#include "worker/core/worker_config.hpp"

namespace taskpipe::worker {

struct Queued {};
struct Running {
  bool abandoned = false;  // stopped by us at exit: the broker gives it to others, no RESULT
};

struct HeldAttempt {
  AttemptKind kind = AttemptKind::process;
  TaskSpecPtr spec;
  Payload params;
  std::variant<Queued, Running> state;

  [[nodiscard]] bool queued() const { return std::holds_alternative<Queued>(state); }
  [[nodiscard]] Running* running() { return std::get_if<Running>(&state); }
};

class AttemptTable {
 public:
  using Map = std::unordered_map<AttemptKey, HeldAttempt>;

  // As queued; null when the key is there already.
  HeldAttempt* add(const AttemptKey& key, AttemptKind kind, TaskSpecPtr spec, Payload params);
  // Null when unknown.
  [[nodiscard]] HeldAttempt* find(const AttemptKey& key);
  [[nodiscard]] bool is_queued(const AttemptKey& key) const;
  [[nodiscard]] bool holds_task(const TaskId& task) const;  // O(attempts)
  void mark_running(HeldAttempt& attempt);
  void erase(const AttemptKey& key);
  void drop_queued();

  [[nodiscard]] std::size_t queued_count() const { return queued_count_; }
  [[nodiscard]] std::size_t running_count() const { return attempts_.size() - queued_count_; }
  // In the order of their keys, so that nothing depends on the table's own order.
  [[nodiscard]] std::vector<AttemptKey> queued_keys() const { return keys(true); }
  [[nodiscard]] std::vector<AttemptKey> running_keys() const { return keys(false); }
  // Running, and not abandoned: their results will be reported.
  [[nodiscard]] std::vector<AttemptKey> wanted_keys() const;

 private:
  [[nodiscard]] std::vector<AttemptKey> keys(bool queued) const;

  Map attempts_;
  std::size_t queued_count_ = 0;
};

}  // namespace taskpipe::worker
