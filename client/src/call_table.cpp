#include "client/src/call_table.hpp"

#include <utility>

namespace taskpipe::client {
namespace {

struct KindOf {
  using Kind = CallTable::Kind;
  Kind operator()(const command::Connect&) const { return Kind::connect; }
  Kind operator()(const command::SubmitTasks&) const { return Kind::submit; }
  Kind operator()(const command::RunTasks&) const { return Kind::run; }
  Kind operator()(const command::UploadWorkflow&) const { return Kind::workflow; }
  Kind operator()(const command::AwaitTasks&) const { return Kind::wait; }
  Kind operator()(const command::AwaitWorkflow&) const { return Kind::wait; }
  Kind operator()(const command::Ask&) const { return Kind::ask; }
  Kind operator()(const command::ReadLog&) const { return Kind::log; }
  Kind operator()(const command::Watch&) const { return Kind::watch; }
};

}  // namespace

CallTable::Kind CallTable::kind_of(const CallCommand& command) {
  return std::visit(KindOf{}, command);
}

std::string_view CallTable::subject_of(const Call& call) {
  switch (call.kind) {
    case Kind::connect: return "connecting";
    case Kind::submit: return "the submit";
    case Kind::run: return call.submitting ? "the submit" : "the task";
    case Kind::workflow: return "submitting the workflow";
    case Kind::wait: return "the wait";
    case Kind::ask: return "the request";
    case Kind::log: return "reading the log";
    case Kind::watch: return "following the stream";
  }
  return "the call";
}

void CallTable::add(const CallStart& start, MonotonicTime now) {
  Entry entry{Call{kind_of(start.command), start.timeout, {}, start.renewed_by_answers}, now};
  Call& call = entry.call;
  if (start.timeout) call.deadline = now + *start.timeout;
  if (const auto* run = std::get_if<command::RunTasks>(&start.command)) {
    call.submitting = true;
    call.later_timeout = call.timeout;
    call.timeout = start.timeout.value_or(run->submit_timeout);
    call.later_deadline = std::exchange(call.deadline, now + *call.timeout);
  }
  if (call.deadline) deadlines_.emplace(*call.deadline, start.id);
  beginnings_.emplace(now, start.id);
  calls_.emplace(start.id, entry);
}

void CallTable::erase(CallId id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  if (found->second.call.deadline) deadlines_.erase({*found->second.call.deadline, id});
  beginnings_.erase({found->second.begun, id});
  calls_.erase(found);
}

void CallTable::renew(CallId id, MonotonicTime now) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  Call& call = found->second.call;
  if (!call.renewed_by_answers || !call.deadline) return;
  deadlines_.erase({*call.deadline, id});
  call.deadline = now + *call.timeout;
  deadlines_.emplace(*call.deadline, id);
}

void CallTable::submitted(CallId id) {
  const auto found = calls_.find(id);
  if (found == calls_.end() || !found->second.call.submitting) return;
  Call& call = found->second.call;
  call.submitting = false;
  deadlines_.erase({*call.deadline, id});
  call.timeout = call.later_timeout;
  call.deadline = call.later_deadline;
  if (call.deadline) deadlines_.emplace(*call.deadline, id);
}

const CallTable::Call* CallTable::find(CallId id) const {
  const auto found = calls_.find(id);
  return found == calls_.end() ? nullptr : &found->second.call;
}

std::vector<CallId> CallTable::expired(MonotonicTime now) const {
  std::vector<CallId> result;
  for (const auto& [at, id] : deadlines_) {
    if (at > now) break;
    result.push_back(id);
  }
  return result;
}

std::vector<CallId> CallTable::begun_until(MonotonicTime begun) const {
  std::vector<CallId> result;
  for (const auto& [at, id] : beginnings_) {
    if (at > begun) break;
    result.push_back(id);
  }
  return result;
}

std::optional<MonotonicTime> CallTable::oldest_beginning() const {
  if (beginnings_.empty()) return std::nullopt;
  return beginnings_.begin()->first;
}

std::vector<CallId> CallTable::all() const {
  std::vector<CallId> result;
  result.reserve(calls_.size());
  for (const auto& [at, id] : beginnings_) result.push_back(id);
  return result;
}

std::optional<MonotonicTime> CallTable::next_deadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

}  // namespace taskpipe::client
