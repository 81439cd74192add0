#include "broker/core/record.hpp"

#include <algorithm>

namespace taskpipe::broker::record {
namespace {

bool same_specs(const std::vector<TaskSpecPtr>& a, const std::vector<TaskSpecPtr>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const TaskSpecPtr& x, const TaskSpecPtr& y) { return *x == *y; });
}

}  // namespace

bool operator==(const TasksSubmitted& a, const TasksSubmitted& b) {
  return a.owner == b.owner && a.at == b.at && a.first_arrival == b.first_arrival &&
         same_specs(a.specs, b.specs) && a.items == b.items;
}

bool operator==(const WorkflowSubmitted& a, const WorkflowSubmitted& b) {
  return a.owner == b.owner && a.at == b.at && a.first_arrival == b.first_arrival && a.id == b.id &&
         a.name == b.name && a.on_failure == b.on_failure && same_specs(a.specs, b.specs) &&
         a.items == b.items && a.dependencies == b.dependencies;
}

bool operator==(const TaskImage& a, const TaskImage& b) {
  return a.id == b.id && a.owner == b.owner && *a.spec == *b.spec && a.params == b.params &&
         a.params_hash == b.params_hash && a.arrival == b.arrival && a.workflow == b.workflow &&
         a.state == b.state && a.dispatched == b.dispatched && a.epoch == b.epoch &&
         a.attempt == b.attempt && a.placements == b.placements &&
         a.worker_losses == b.worker_losses && a.failures == b.failures &&
         a.ready_at == b.ready_at && a.pasts == b.pasts && a.original == b.original &&
         a.cancel_requested == b.cancel_requested && a.cancel_grace_ms == b.cancel_grace_ms &&
         a.submitted == b.submitted && a.started == b.started && a.finished == b.finished &&
         a.outcome == b.outcome && a.terminal_lsn == b.terminal_lsn;
}

}  // namespace taskpipe::broker::record
