// The event stream as text and as documents. Pure.
#pragma once

#include <string>
#include <vector>

#include "client/cli/table.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::cli {

// What one message of the stream says, an item each and in its order. Where messages were missed
// before it, the first item says so.
struct EventItem {
  std::string line;    // "12:00:01  task      lammps in.melt  RUNNING  on node-a  019a…"
  Value document;      // {"type": "task", "topic": …, …}
  bool counts = true;  // false: about the stream itself
};

// `now` is the time of what carries none of its own.
[[nodiscard]] std::vector<EventItem> event_items(const EventBatch& batch, const TextStyle& style,
                                                 WallTime now);

// The same of a stream that is followed without gaps; it has no starts of a broker to tell.
[[nodiscard]] std::vector<EventItem> change_items(const std::string& stream,
                                                  const StreamChanges& changes,
                                                  const TextStyle& style, WallTime now);

}  // namespace taskpipe::cli
