// What --json prints: the shapes that programs rely on. docs/cli.md describes every field.
//
// Built as Values: keys come out in order, non-finite numbers as null, and bytes that are no UTF-8
// as U+FFFD, so that a document is valid JSON whatever a tool wrote.
#pragma once

#include <string_view>

#include "common/model/value.hpp"
#include "taskpipe/client.hpp"
#include "taskpipe/result_facts.hpp"

namespace taskpipe::cli {

// A task as it is now: task_id, state, ready, successful and failed (null until ready), tool,
// script, …
[[nodiscard]] Value row_document(const TaskRow& row);

// Name, path, size, sha256, stored, shared; problem where there is one.
[[nodiscard]] Value artifact_document(const Artifact& artifact);

// How a run ended: status, tool, script, params, returncode, stdout, stderr, artifacts,
// artifact_details, resource_usage, duration_seconds, error where there is one; and besides
// task_id, state, metrics, node, worker, …
[[nodiscard]] Value result_document(const TaskResult& result, std::string_view tool,
                                    std::string_view script, const ValueMap& params);

[[nodiscard]] Value event_document(const TaskEvent& event);
[[nodiscard]] Value tool_document(const ToolRow& row);
[[nodiscard]] Value worker_document(const WorkerRow& row);
[[nodiscard]] Value health_document(const HealthReply& reply);
// {"error": {failure, code, field, text}}
[[nodiscard]] Value error_document(const ClientError& error);

// 'success', 'failed', 'timeout', 'error', 'cancelled'; 'pending' and 'running' before the end.
[[nodiscard]] std::string_view status_word(TaskState state);

}  // namespace taskpipe::cli
