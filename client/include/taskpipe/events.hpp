/// @file
/// What a client is told of what happens: raw messages (`Client::subscribe`, lossy), and streams of
/// changes without gaps (`Client::follow`).
///
/// @code
/// std::uint64_t last = read_from_my_database();
/// client.follow({.stream = "task.lammps.", .after_seq = last},
///               [&](const taskpipe::StreamChanges& changes) {
///                 if (changes.first_page) forget_all();
///                 for (const auto& event : changes.tasks) store(event.id, event.state);
///                 return store_number(changes.seq);  // false ends the call
///               });
/// @endcode
///
/// What `follow` promises: nothing is missed, neither what happened before the call (`after_seq`),
/// nor during a lost connection, a restart of the broker, or while the callback took its time. Only
/// where the broker no longer keeps what was missed (its option `event-retention-bytes`) are the
/// present states told instead, and said to be (`StreamChanges::resynchronised`). Progress is not
/// part of it. Changes of one tool (of everybody) come over the event port as long as that loses
/// nothing, all else over the client's own connection. Memory is bounded: what a slow callback has
/// not taken waits at the broker, and holds nobody else up. Exceptions of the callback end the call
/// and pass through.
///
/// Plain values; nothing here has a thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/model/ids.hpp"
#include "common/model/messages.hpp"

namespace taskpipe {

/// One message of the event stream.
struct EventBatch {
  std::string topic;  ///< that it was published on
  Events events;      ///< what happened
  bool gap = false;   ///< messages of this topic were missed before this one; see Client::follow
};

/// Which changes of state `Client::follow` tells, and from where on.
struct FollowRequest {
  /// "task.<tool>.", "task." for every tool, "workflow.<32 hex digits>."; empty = `tasks`.
  std::string stream;
  std::vector<TaskId> tasks{};  ///< at most limits::kMaxBatchItems; only without `stream`
  /// From the change after this number, as `StreamChanges::seq` or `TaskEvent::seq` told it; 0 =
  /// from the very first. Nothing = from now on; which number that is is told at once, as changes
  /// without any.
  std::optional<std::uint64_t> after_seq{};
  bool everybody = false;  ///< also tasks of other users, as `subscribe` shows them
  /// Ends once everything was told that had happened when the call began.
  bool until_present = false;
  /// Never listens to the event port: for networks where only the broker's client port is open.
  bool over_router = false;
};

/// What has changed since the last ones.
struct StreamChanges {
  /// Everything up to this number has been told: `FollowRequest::after_seq` of a later call. It
  /// moves on also where nothing has happened (`tasks` is empty then), and stays behind until the
  /// last page of a resynchronisation.
  std::uint64_t seq = 0;
  /// In the order in which they became true; each names its own number (`TaskEvent::seq`). A record
  /// may change many tasks at once: they share its number, and no task occurs twice under one.
  std::vector<TaskEvent> tasks;
  std::vector<WorkflowEvent> workflows;  ///< of a workflow's stream: its counts after `tasks`
  /// What was missed is not kept any more: `tasks` are the present states of the stream's live
  /// tasks. Several of these may follow each other; a task in none of them has ended.
  bool resynchronised = false;
  bool first_page = false;  ///< of a resynchronisation: forget what was known before
};

}  // namespace taskpipe
