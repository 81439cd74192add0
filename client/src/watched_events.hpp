// The event stream without the event port: for clients whose key has no business there, WATCH tells
// the same of their own tasks.
//
// Decides which watch serves the topics that are subscribed to, and puts what it tells under these
// topics. One watch at a time: of single tasks, of one tool, or of all that the user owns. Topics
// of workers, of all workflows, and of everybody's tasks cannot be had this way.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/model/messages.hpp"

namespace taskpipe::client {

// Whether a subscription to the topic can be served without the event port.
[[nodiscard]] bool can_be_watched(const std::string& topic);

// What to watch for these topics; nothing when none of them can be watched.
[[nodiscard]] std::optional<StreamFilter> filter_for(const std::vector<std::string>& topics);

// Each message of such a watch as the event port would publish it: changes under the topics of
// their tool and of their task, and so is progress, which has no numbers.
struct WatchedBatch {
  std::string topic;
  Events events;
};
[[nodiscard]] std::vector<WatchedBatch> batches_of(const Events& events);
// The same of a page of present states: under the topics of changes, since that is what tells them
// to whoever missed the changes.
[[nodiscard]] std::vector<WatchedBatch> batches_of(const Snap& snap);

}  // namespace taskpipe::client
