#include "client/src/pipeline_raise.hpp"

#include "client/src/task_results.hpp"
#include "common/model/value.hpp"

namespace taskpipe::client {
namespace {

RefusedError refused_error(const ClientError& error, const std::string& task_id) {
  return RefusedError(error.text(), error.error.code, error.error.field, task_id);
}

std::string concerned(const ClientError& error, const std::string& task_id) {
  return error.maybe_accepted ? error.maybe_accepted->to_string() : task_id;
}

}  // namespace

void raise(const ClientError& error, const std::string& task_id) {
  const std::string id = concerned(error, task_id);
  switch (error.failure) {
    case CallFailure::timed_out: throw TimeoutError(error.text(), id);
    case CallFailure::unreachable: throw ConnectionError(error.text(), id);
    case CallFailure::closed: throw ConnectionError(error.text(), id);
    case CallFailure::stopped: throw PipelineError(error.text(), id);
    case CallFailure::refused: break;
  }
  switch (error.error.code) {
    case ErrorCode::invalid:
    case ErrorCode::too_big:
    case ErrorCode::cycle: throw InvalidArgumentError(error.text(), error.error.field);
    case ErrorCode::unknown_task: throw UnknownTaskError(error.text(), id);
    default: throw refused_error(error, id);
  }
}

void raise(const BatchError& error, std::size_t first_index,
           std::vector<std::string> accepted_before) {
  std::vector<BatchSubmitError::Refusal> refusals;
  std::size_t unsure = 0;
  std::size_t next = 0;  // of error.items
  for (std::size_t i = 0; i < error.ids.size(); ++i) {
    if (next == error.items.size() || error.items[next].index != i) {
      accepted_before.push_back(error.ids[i].to_string());
      continue;
    }
    const ClientError& why = error.items[next++].error;
    if (why.maybe_accepted) ++unsure;
    refusals.push_back({first_index + i, why.text(), concerned(why, {})});
  }
  // Nothing is known to have been accepted, and if one task may have been, it is the one that the
  // plain cause is about: that says it all.
  const bool first_tells_all = unsure == 0 || (unsure == 1 && error.first().maybe_accepted);
  if (accepted_before.empty() && first_tells_all) raise(error.first());
  const RefusedError first = refused_error(error.first(), refusals.front().task_id);
  throw BatchSubmitError(first, std::move(accepted_before), std::move(refusals));
}

TaskId task_id_of(const std::string& text, const std::string& field) {
  if (const auto id = TaskId::parse(text)) return *id;
  throw InvalidArgumentError(field + " '" + text + "' is no id: ids are 32 hex digits", field);
}

std::vector<TaskId> task_ids_of(const std::vector<std::string>& texts) {
  std::vector<TaskId> ids;
  ids.reserve(texts.size());
  for (const std::string& text : texts) {
    ids.push_back(task_id_of(text, "task_ids[" + std::to_string(ids.size()) + "]"));
  }
  return distinct(ids);
}

std::string seconds_text(Millis duration) {
  if (duration.count() % 1000 == 0) return std::to_string(duration.count() / 1000);
  return to_text(static_cast<double>(duration.count()) / 1e3);
}

void check_poll_interval(Millis poll_interval) {
  if (poll_interval > Millis(0) && poll_interval <= Millis(limits::kMaxCallTimeoutMs)) return;
  throw InvalidArgumentError("poll_interval is not positive, or beyond all bounds",
                             "poll_interval");
}

}  // namespace taskpipe::client
