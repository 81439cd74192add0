// Client::monitor, with a callback also for the time in which nothing happens.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "taskpipe/client.hpp"

namespace taskpipe::client {

// As Client::monitor; and `on_silence` runs whenever `longest_silence` has passed since the last
// callback. Both run on the calling thread; what they throw ends the call and reaches the caller.
// Costs a thread while it lasts: Client::monitor wakes up for news only.
[[nodiscard]] CallResult<std::vector<TaskResult>> paced_monitor(
    Client& client, std::span<const TaskId> ids, const Client::MonitorCallback& on_event,
    const std::function<void()>& on_silence, Millis longest_silence, std::optional<Millis> timeout);

}  // namespace taskpipe::client
