// What the client returns, as dicts whose keys are the fields of the classes in taskpipe._types.
// Callers hold the GIL.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "taskpipe/client.hpp"

namespace taskpipe::python {

[[nodiscard]] nanobind::dict to_dict(const TaskResult& result);
[[nodiscard]] nanobind::dict to_dict(const TaskRow& row);
[[nodiscard]] nanobind::dict to_dict(const TaskEvent& event);
[[nodiscard]] nanobind::dict to_dict(const WorkflowEvent& event);
[[nodiscard]] nanobind::dict to_dict(const StreamChanges& changes);
[[nodiscard]] nanobind::dict to_dict(const EventBatch& batch);
[[nodiscard]] nanobind::dict to_dict(const ToolRow& row);
[[nodiscard]] nanobind::dict to_dict(const WorkerRow& row);
[[nodiscard]] nanobind::dict to_dict(const HealthReply& reply);
[[nodiscard]] nanobind::dict to_dict(const ConnectionInfo& info);
[[nodiscard]] nanobind::dict to_dict(const DoneWorkflow& workflow);

template <class Records>
[[nodiscard]] nanobind::list to_list(const Records& records) {
  nanobind::list list;
  for (const auto& record : records) list.append(to_dict(record));
  return list;
}

}  // namespace taskpipe::python
