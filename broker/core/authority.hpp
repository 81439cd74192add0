// Who may do what: the one place where the core decides it.
//
//                     client   observer   admin   worker
//   read              own      all        all     –
//   submit            yes      –          yes     –
//   change            own      –          all     –
//   work              –        –          –       yes
//
// Without keys every client is one that may read what all do where the PUB channel shows it as
// well (StreamFilter::everybody), and only its own otherwise.
//
// What a session may not see is to it as if it did not exist: UNKNOWN_TASK, for every message.
#pragma once

#include <cstdint>
#include <string>

#include "broker/core/state.hpp"
#include "common/model/messages.hpp"

namespace taskpipe::broker {

// What a message does.
enum class Deed : std::uint8_t {
  talk,    // liveness and farewell
  read,    // tells something
  submit,  // makes tasks
  change,  // acts on tasks that exist
  work,    // of a worker about what it was given
  never,   // the broker's to say
};
[[nodiscard]] Deed deed_of(const Message& message);

[[nodiscard]] bool may(Role role, Deed deed);

// Tasks of this owner. `change` implies that the role may change at all.
[[nodiscard]] bool may_see(const Session& session, OwnerIndex owner);
[[nodiscard]] bool may_change(const Session& session, OwnerIndex owner);
[[nodiscard]] bool may_see(const State& state, const Session& session, const std::string& owner);
[[nodiscard]] bool may_change(const State& state, const Session& session, const std::string& owner);
// Everything, whoever owns it.
[[nodiscard]] bool sees_all(const Session& session);
// Changes of everybody's tasks, as StreamFilter::everybody asks for.
[[nodiscard]] bool may_watch_everybody(const State& state, const Session& session);

}  // namespace taskpipe::broker
