#include "client/src/workflow_uploads.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "client/src/call_errors.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::client {
namespace {

std::uint32_t size_of(const command::UploadWorkflow& workflow) {
  return static_cast<std::uint32_t>(workflow.tasks.size());
}

}  // namespace

void WorkflowUploads::add(CallId call, command::UploadWorkflow&& workflow) {
  Upload upload;
  upload.workflow = std::move(workflow);
  uploads_.emplace(call, std::move(upload));
}

void WorkflowUploads::fail(CallId call, ClientError why, Effects& out) {
  const auto found = uploads_.find(call);
  if (found == uploads_.end()) return;
  if (found->second.committed) {
    why.error.text += "; workflow " + found->second.workflow.id.to_string() +
                      " may have been accepted: list its tasks before submitting it again";
  }
  uploads_.erase(found);
  out.fail(call, std::move(why));
}

WorkflowUploads::Uploads::iterator WorkflowUploads::find_round(Correlation correlation) {
  if (correlation == Correlation{}) return uploads_.end();
  return std::find_if(uploads_.begin(), uploads_.end(), [correlation](const auto& entry) {
    return entry.second.round == correlation;
  });
}

void WorkflowUploads::start_over(Upload& upload) {
  upload.round = Correlation{};
  upload.doubtful = upload.doubtful || upload.next > 0;
  upload.next = 0;
  upload.unanswered = 0;
}

void WorkflowUploads::on_welcome(const Welcome& welcome) {
  limits_ = BatchLimits::of(welcome);
  for (auto& [call, upload] : uploads_) {
    start_over(upload);
    upload.restarts = 0;
    upload.paused_until = MonotonicTime{};
  }
}

void WorkflowUploads::on_ack(Correlation correlation, const WorkflowAck& ack, MonotonicTime now,
                             Effects& out) {
  const auto found = find_round(correlation);
  if (found == uploads_.end()) return;  // accepted before, or of an earlier round
  Upload& upload = found->second;
  if (ack.error.code != ErrorCode::ok) return refuse(found, ack.error, now, out);
  if (upload.unanswered > 0) --upload.unanswered;
  if (ack.received >= size_of(upload.workflow)) {
    const CallId call = found->first;
    uploads_.erase(found);
    out.deliver(call, delivery::WorkflowAccepted{}, true);
    return;
  }
  upload.restarts = 0;
  upload.held_back.reset();
  upload.due =
      now + jitter_.backoff(Millis(limits::kResendFirstMs), 0, Millis(limits::kResendMaxMs));
}

void WorkflowUploads::on_error(Correlation correlation, const Error& error, MonotonicTime now,
                               Effects& out) {
  const auto found = find_round(correlation);
  if (found != uploads_.end()) refuse(found, error, now, out);
}

void WorkflowUploads::refuse(Uploads::iterator upload, const Error& error, MonotonicTime now,
                             Effects& out) {
  switch (error.code) {
    case ErrorCode::busy:
    case ErrorCode::flow:
    case ErrorCode::shutting_down:
      start_over(upload->second);
      upload->second.held_back = error;
      upload->second.paused_until = now + Millis(error.retry_ms.value_or(limits::kBusyRetryMs));
      return;
    default: break;
  }
  const CallId call = upload->first;
  Error named = error;
  if (named.text.empty()) {
    named.text = refused(error.code, "workflow " + upload->second.workflow.id.to_string()).text();
  }
  uploads_.erase(upload);
  out.fail(call, refused(std::move(named)));
}

void WorkflowUploads::flush(MonotonicTime now, SessionId session, Effects& out) {
  for (auto& [call, upload] : uploads_) {
    if (now < upload.paused_until) continue;
    if (upload.under_way() && now >= upload.due) {
      ++upload.restarts;
      start_over(upload);
    }
    const std::uint32_t before = upload.next;
    while (upload.next < size_of(upload.workflow) &&
           upload.unanswered < limits::kMaxWorkflowPartsInFlight) {
      send_part(upload, session, out);
    }
    if (upload.next != before) {
      upload.due = now + jitter_.backoff(Millis(limits::kResendFirstMs), upload.restarts,
                                         Millis(limits::kResendMaxMs));
    }
  }
}

void WorkflowUploads::send_part(Upload& upload, SessionId session, Effects& out) {
  // Drawn when it leaves: submits whose correlations do not rise count as repeated.
  if (upload.next == 0) upload.round = correlations_.next(RequestKind::workflow);
  const auto& workflow = upload.workflow;
  SubmitWorkflow part;
  part.id = workflow.id;
  part.name = workflow.name;
  part.on_failure = workflow.on_failure;
  part.first_index = upload.next;
  part.total = size_of(workflow);
  BatchBuilder builder(limits_);
  std::size_t edges_bytes = 0;
  while (upload.next < part.total && builder.has_room_for(workflow.tasks[upload.next])) {
    const auto& dependencies = workflow.dependencies[upload.next];
    edges_bytes += dependencies.after.size() * 5;  // an index takes at most five bytes
    if (builder.size() > 0 && edges_bytes > limits_.bytes / 2) break;
    builder.add(workflow.tasks[upload.next]);
    part.dependencies.push_back(dependencies);
    ++upload.next;
  }
  part.specs = builder.take_specs();
  part.items = builder.take_items();
  upload.committed = upload.committed || upload.next == part.total;
  ++upload.unanswered;
  out.sends.push_back(Outgoing{std::move(part), upload.round, session, upload.doubtful});
}

std::optional<Error> WorkflowUploads::held_back(CallId call) const {
  const auto found = uploads_.find(call);
  return found == uploads_.end() ? std::nullopt : found->second.held_back;
}

std::optional<MonotonicTime> WorkflowUploads::next_deadline() const {
  std::optional<MonotonicTime> next;
  for (const auto& [call, upload] : uploads_) {
    const MonotonicTime at = upload.under_way() ? upload.due : upload.paused_until;
    if (!next || at < *next) next = at;
  }
  return next;
}

}  // namespace taskpipe::client
