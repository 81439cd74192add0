// The texts of the errors that calls end with, in one place.
#pragma once

#include <string>
#include <string_view>

#include "common/model/ids.hpp"
#include "common/model/time.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::client {

// An Error of the broker or of a check before sending. An empty text is filled in from the code.
[[nodiscard]] ClientError refused(Error error);
// A code without any text: `what` names the thing it is about ("task 0123…").
[[nodiscard]] ClientError refused(ErrorCode code, std::string_view what);

// Refusals that say "not now" rather than "no".
[[nodiscard]] bool is_passing(ErrorCode code);

// `refusal`: what the broker said meanwhile instead of taking it.
[[nodiscard]] ClientError held_back(ClientError why, const Error& refusal);
// `what` is the sentence's subject: "the submit", "the wait".
[[nodiscard]] ClientError timed_out(std::string_view what, Millis after);
// `why`, for a submit that was sent and never answered.
[[nodiscard]] ClientError unacknowledged(ClientError why, const TaskId& id);
// The same of a task that was to be submitted again as `id`.
[[nodiscard]] ClientError unacknowledged_again(ClientError why, const TaskId& id);
// `why`, of a run whose task was accepted and has not ended.
[[nodiscard]] ClientError accepted_but(ClientError why, const TaskId& id);
[[nodiscard]] ClientError unreachable(std::string_view broker, Millis after);
[[nodiscard]] ClientError stopped();
[[nodiscard]] ClientError closed(std::string_view why);

}  // namespace taskpipe::client
