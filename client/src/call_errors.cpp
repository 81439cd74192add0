#include "client/src/call_errors.hpp"

#include <utility>

namespace taskpipe {

std::string_view name_of(CallFailure failure) {
  switch (failure) {
    case CallFailure::refused: return "refused";
    case CallFailure::timed_out: return "timed out";
    case CallFailure::unreachable: return "unreachable";
    case CallFailure::stopped: return "stopped";
    case CallFailure::closed: return "closed";
  }
  return "?";
}

}  // namespace taskpipe

namespace taskpipe::client {
namespace {

// What to say when the broker sent a code and no text.
std::string_view explanation(ErrorCode code) {
  switch (code) {
    case ErrorCode::version: return "no protocol version in common; install matching versions";
    case ErrorCode::too_big: return "it is larger than the broker accepts";
    case ErrorCode::denied: return "this user may not do that";
    case ErrorCode::id_conflict: return "this id exists with other contents; use a new id";
    case ErrorCode::busy: return "the broker is overloaded; try again later";
    case ErrorCode::unknown_task: return "it does not exist, or belongs to somebody else";
    case ErrorCode::shutting_down: return "the broker is about to stop; try again later";
    case ErrorCode::storage: return "the broker's disk is full; free space and try again";
    case ErrorCode::unsupported: return "this broker does not offer that";
    case ErrorCode::cycle: return "the dependencies contain a cycle";
    case ErrorCode::unsatisfiable:
      return "no worker could ever run it; see which tools the workers offer";
    default: return "the broker refused it";
  }
}

ClientError failure(CallFailure kind, std::string text) {
  return ClientError{kind, Error{ErrorCode::ok, std::move(text), {}}, {}};
}

std::string in_ms(Millis duration) { return std::to_string(duration.count()) + " ms"; }

}  // namespace

ClientError refused(Error error) {
  if (error.text.empty()) error.text = explanation(error.code);
  return ClientError{CallFailure::refused, std::move(error), {}};
}

ClientError refused(ErrorCode code, std::string_view what) {
  Error error{code, std::string(what) + ": " + std::string(explanation(code)), {}};
  return ClientError{CallFailure::refused, std::move(error), {}};
}

bool is_passing(ErrorCode code) {
  switch (code) {
    case ErrorCode::busy:
    case ErrorCode::flow:
    case ErrorCode::shutting_down:
    case ErrorCode::not_registered:
    case ErrorCode::stale_epoch: return true;
    default: return false;
  }
}

ClientError timed_out(std::string_view what, Millis after) {
  return failure(CallFailure::timed_out,
                 std::string(what) + " did not finish within " + in_ms(after));
}

ClientError held_back(ClientError why, const Error& refusal) {
  why.error.text += "; the broker has answered " + std::string(name_of(refusal.code)) + ": " +
                    (refusal.text.empty() ? std::string(explanation(refusal.code)) : refusal.text);
  return why;
}

ClientError unacknowledged(ClientError why, const TaskId& id) {
  why.error.text += "; task " + id.to_string() +
                    " may have been accepted: ask for its status, or submit again with this id";
  why.maybe_accepted = id;
  return why;
}

ClientError unacknowledged_again(ClientError why, const TaskId& id) {
  why.error.text += "; it may have been submitted again as task " + id.to_string() +
                    ": ask for the status of that one before another try";
  why.maybe_accepted = id;
  return why;
}

ClientError accepted_but(ClientError why, const TaskId& id) {
  why.error.text +=
      "; task " + id.to_string() + " was accepted and goes on: wait for it, or cancel it";
  why.maybe_accepted = id;
  return why;
}

ClientError unreachable(std::string_view broker, Millis after) {
  return failure(CallFailure::unreachable,
                 "no broker answers at " + std::string(broker) + " within " + in_ms(after) +
                     "; start taskpipe-broker there, or give the right address");
}

ClientError stopped() { return failure(CallFailure::stopped, "the call was stopped on request"); }

ClientError closed(std::string_view why) {
  return failure(CallFailure::closed, "the client is closed: " + std::string(why));
}

}  // namespace taskpipe::client
