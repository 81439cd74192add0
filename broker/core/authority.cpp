#include "broker/core/authority.hpp"

#include <variant>

namespace taskpipe::broker {
namespace {

struct DeedOf {
  Deed operator()(const Ping&) const { return Deed::talk; }
  Deed operator()(const Bye&) const { return Deed::talk; }
  Deed operator()(const ErrorReply&) const { return Deed::talk; }

  Deed operator()(const Wait&) const { return Deed::read; }
  Deed operator()(const Query&) const { return Deed::read; }
  Deed operator()(const Fetch&) const { return Deed::read; }
  Deed operator()(const ToolsRequest&) const { return Deed::read; }
  Deed operator()(const WorkersRequest&) const { return Deed::read; }
  Deed operator()(const HealthRequest&) const { return Deed::read; }
  Deed operator()(const Watch&) const { return Deed::read; }
  Deed operator()(const WatchCredit&) const { return Deed::read; }
  Deed operator()(const Snapshot&) const { return Deed::read; }

  Deed operator()(const Submit&) const { return Deed::submit; }
  Deed operator()(const SubmitWorkflow&) const { return Deed::submit; }

  Deed operator()(const Cancel&) const { return Deed::change; }
  Deed operator()(const Resubmit&) const { return Deed::change; }

  Deed operator()(const Credit&) const { return Deed::work; }
  Deed operator()(const TasksAck&) const { return Deed::work; }
  Deed operator()(const Returned&) const { return Deed::work; }
  Deed operator()(const Started&) const { return Deed::work; }
  Deed operator()(const Progress&) const { return Deed::work; }
  Deed operator()(const Log&) const { return Deed::work; }
  Deed operator()(const Result&) const { return Deed::work; }
  Deed operator()(const Drained&) const { return Deed::work; }
  Deed operator()(const Chunk&) const { return Deed::work; }

  // Whatever is not listed is refused, until somebody decides otherwise.
  template <class Other>
  Deed operator()(const Other&) const {
    return Deed::never;
  }
};

}  // namespace

Deed deed_of(const Message& message) { return std::visit(DeedOf{}, message); }

bool may(Role role, Deed deed) {
  switch (deed) {
    case Deed::talk: return true;
    case Deed::read: return role != Role::worker;
    case Deed::submit:
    case Deed::change: return role == Role::client || role == Role::admin;
    case Deed::work: return role == Role::worker;
    case Deed::never: return false;
  }
  return false;
}

bool sees_all(const Session& session) {
  return session.role == Role::observer || session.role == Role::admin;
}

bool may_see(const Session& session, OwnerIndex owner) {
  return owner == session.owner || sees_all(session);
}

bool may_change(const Session& session, OwnerIndex owner) {
  return may(session.role, Deed::change) && (owner == session.owner || session.role == Role::admin);
}

bool may_see(const State& state, const Session& session, const std::string& owner) {
  return sees_all(session) || owner == state.owners.name(session.owner);
}

bool may_change(const State& state, const Session& session, const std::string& owner) {
  return may(session.role, Deed::change) &&
         (session.role == Role::admin || owner == state.owners.name(session.owner));
}

bool may_watch_everybody(const State& state, const Session& session) {
  return !state.config.keys || sees_all(session);
}

}  // namespace taskpipe::broker
