#include "client/src/stream_merge.hpp"

#include <algorithm>
#include <utility>

namespace taskpipe::client {

StreamMerge::StreamMerge(std::optional<std::uint64_t> after_seq) {
  if (after_seq) place_ = StreamPlace(*after_seq);
}

std::optional<StreamChanges> StreamMerge::on_watched(Events&& events) {
  const bool first = !place_;
  if (first) place_ = StreamPlace(events.prev_seq);
  auto changes =
      take(std::move(events.tasks), events.offset, events.seq, std::move(events.workflows));
  if (!first || changes) return changes;
  // Nothing has happened, but whoever began without a number has one now.
  return StreamChanges{.seq = told(), .tasks = {}, .workflows = {}};
}

std::optional<StreamChanges> StreamMerge::take(std::vector<TaskEvent> tasks, std::uint32_t offset,
                                               std::uint64_t seq,
                                               std::vector<WorkflowEvent> workflows) {
  const StreamPlace before = *place_;
  StreamChanges changes;
  changes.tasks = place_->take(std::move(tasks), offset, seq);
  drop_shown(changes.tasks);
  if (*place_ == before) return std::nullopt;
  if (!changes.tasks.empty()) changes.workflows = std::move(workflows);
  changes.seq = told();
  return changes;
}

std::uint64_t StreamMerge::told() const { return behind_.value_or(place_->seq()); }

void StreamMerge::drop_shown(std::vector<TaskEvent>& tasks) {
  if (shown_.empty()) return;
  std::erase_if(tasks, [this](const TaskEvent& event) {
    const auto shown = shown_.find(event.id);
    return shown != shown_.end() && event.seq <= shown->second;
  });
  if (place_->seq() >= shown_until_) shown_.clear();
}

StreamChanges StreamMerge::on_snapshot(Snap&& snap, bool first) {
  if (first) {
    if (!behind_) behind_ = place_ ? place_->seq() : 0;
    place_ = StreamPlace(snap.seq);
    shown_.clear();
    shown_until_ = snap.seq;
  } else if (snap.seq > place_->seq()) {
    for (const TaskEvent& row : snap.tasks) shown_[row.id] = snap.seq;
    shown_until_ = std::max(shown_until_, snap.seq);
  }
  if (snap.next == 0) behind_.reset();
  StreamChanges changes;
  changes.seq = told();
  changes.tasks = std::move(snap.tasks);
  changes.workflows = std::move(snap.workflows);
  changes.resynchronised = true;
  changes.first_page = first;
  return changes;
}

StreamMerge::Published StreamMerge::on_published(const EventBatch& batch,
                                                 std::optional<StreamChanges>& changes) {
  // After a gap only a watch knows where things go on: the number before may be another start's.
  if (batch.gap || !place_ || !place_->joins(batch.events)) return Published::gap;
  changes = take(batch.events.tasks, batch.events.offset, batch.events.seq, {});
  return changes ? Published::told : Published::nothing_new;
}

}  // namespace taskpipe::client
