#include "broker/shell/durability_gate.hpp"

#include <algorithm>
#include <iterator>

namespace taskpipe::broker {

void DurabilityGate::take_finished(Effects& effects) {
  std::move(effects.finished_tasks.begin(), effects.finished_tasks.end(),
            std::back_inserter(finished_tasks_));
  std::move(effects.finished_workflows.begin(), effects.finished_workflows.end(),
            std::back_inserter(finished_workflows_));
  std::move(effects.late_attempts.begin(), effects.late_attempts.end(),
            std::back_inserter(late_attempts_));
}

std::optional<HistoryBatch> DurabilityGate::archive(Lsn synced) {
  HistoryBatch batch;
  batch.watermark = synced;
  while (!finished_tasks_.empty() && finished_tasks_.front().terminal_lsn <= synced) {
    batch.tasks.push_back(std::move(finished_tasks_.front()));
    finished_tasks_.pop_front();
  }
  while (!finished_workflows_.empty() && finished_workflows_.front().terminal_lsn <= synced) {
    batch.workflows.push_back(std::move(finished_workflows_.front()));
    finished_workflows_.pop_front();
  }
  while (!late_attempts_.empty() && late_attempts_.front().lsn <= synced) {
    batch.late.push_back(std::move(late_attempts_.front()));
    late_attempts_.pop_front();
  }
  if (batch.tasks.empty() && batch.workflows.empty() && batch.late.empty()) return std::nullopt;
  return batch;
}

}  // namespace taskpipe::broker
