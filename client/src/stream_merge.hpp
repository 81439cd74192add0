// Makes one gapless stream of what comes by two ways: watched (every change, from any number) and
// published (cheap, lossy). Pure; one per `Client::follow`.
//
//   replaying ──a published message joins──▶ live ──a gap, silence, a restart──▶ replaying
//
// While it replays, both ways feed it, and what is known already is dropped; once the published
// stream joins where it stands, the watch is not needed any more. Where the broker no longer has
// what is missing, pages of a snapshot come instead, and the changes after them.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/model/messages.hpp"
#include "common/model/stream_place.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::client {

class StreamMerge {
 public:
  // What a published message was good for.
  enum class Published { told, nothing_new, gap };

  // Nothing = from now on, which the first watched message says when it was.
  explicit StreamMerge(std::optional<std::uint64_t> after_seq);

  // What is to be told of a watched message; nothing when it has nothing new.
  [[nodiscard]] std::optional<StreamChanges> on_watched(Events&& events);
  [[nodiscard]] StreamChanges on_snapshot(Snap&& snap, bool first);
  // `changes` is set with `told`.
  [[nodiscard]] Published on_published(const EventBatch& batch,
                                       std::optional<StreamChanges>& changes);

  // Where it stands; nothing before the first message.
  [[nodiscard]] const std::optional<StreamPlace>& place() const { return place_; }

 private:
  [[nodiscard]] std::optional<StreamChanges> take(std::vector<TaskEvent> tasks,
                                                  std::uint32_t offset, std::uint64_t seq,
                                                  std::vector<WorkflowEvent> workflows);
  void drop_shown(std::vector<TaskEvent>& tasks);

  [[nodiscard]] std::uint64_t told() const;

  std::optional<StreamPlace> place_;
  // While pages of a snapshot are missing: from where a later call would have to go on.
  std::optional<std::uint64_t> behind_;
  // Tasks of later pages of the last snapshot: their rows know of every change up to these numbers.
  std::unordered_map<TaskId, std::uint64_t> shown_;
  std::uint64_t shown_until_ = 0;
};

}  // namespace taskpipe::client
