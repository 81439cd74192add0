// SNAPSHOT: the present states of a stream's live tasks, a page at a time.
//
// Nothing is kept between two pages but the cursor, which the client holds: a place in the table of
// tasks, or in the list of a workflow's. A task keeps its place while it lives, so that every task
// that lives through all pages is on exactly one; what came, changed or ended meanwhile is told by
// a WATCH after the number of the first page.
#include <algorithm>
#include <utility>

#include "broker/core/authority.hpp"
#include "broker/core/handlers.hpp"

namespace taskpipe::broker {
namespace {

constexpr std::size_t kFixedRowBytes = 160;  // of an encoded row, beside its texts

// A page under construction.
class Page {
 public:
  Page(const State& state, const ChangeFilter& filter, Snap& snap)
      : state_(state), filter_(filter), snap_(snap) {}

  [[nodiscard]] bool full() const {
    return snap_.tasks.size() >= limits::kMaxSnapshotRows || bytes_ >= limits::kMaxBatchBytes;
  }

  void put(TaskSlot slot) {
    const Task& task = state_.tasks[slot];
    if (task.ended() || (filter_.owner && task.owner != *filter_.owner)) return;
    if (filter_.tool && task.spec->tool != *filter_.tool) return;
    const bool running = task.state() == TaskState::running;
    TaskEvent row = task_event(state_, slot, running ? task.started() : task.submitted);
    bytes_ += kFixedRowBytes + row.tool.size() + row.script.size() + row.worker.size() +
              row.message.size();
    snap_.tasks.push_back(std::move(row));
  }

 private:
  const State& state_;
  const ChangeFilter& filter_;
  Snap& snap_;
  std::size_t bytes_ = 0;
};

void list_workflow(const State& state, const ChangeFilter& filter, std::uint64_t cursor, Page& page,
                   Snap& snap) {
  const WorkflowSlot slot = state.workflows.find(*filter.workflow);
  if (slot.value() == kNoSlot) return;
  const Workflow& workflow = state.workflows[slot];
  if (filter.owner && workflow.owner != *filter.owner) return;
  std::uint64_t at = cursor;
  for (std::size_t scanned = 0; at < workflow.members.size(); ++at, ++scanned) {
    if (page.full() || scanned >= limits::kMaxSnapshotScan) {
      snap.next = at;
      return;
    }
    const Member& member = workflow.members[static_cast<std::size_t>(at)];
    if (!member.ended && member.slot.value() != kNoSlot) page.put(member.slot);
  }
  snap.workflows.push_back({workflow.id, static_cast<std::uint32_t>(workflow.members.size()),
                            workflow.ended, workflow.succeeded});
}

void list_all(const State& state, std::uint64_t cursor, Page& page, Snap& snap) {
  std::uint64_t at = cursor;
  for (std::size_t scanned = 0; at < state.tasks.slots(); ++at, ++scanned) {
    if (page.full() || scanned >= limits::kMaxSnapshotScan) {
      snap.next = at;
      return;
    }
    const TaskSlot slot(static_cast<std::uint32_t>(at));
    if (state.tasks.in_use(slot)) page.put(slot);
  }
}

}  // namespace

void on_snapshot(Turn& turn, Session& session, Correlation correlation, const Snapshot& snapshot) {
  const State& state = turn.state;
  if (snapshot.filter.everybody && !may_watch_everybody(state, session)) {
    turn.refuse(session, correlation, ErrorCode::denied,
                "everybody's tasks are for keys of role observer or admin", "everybody");
    return;
  }
  ChangeFilter filter;
  if (auto error = read_filter(snapshot.filter, session.owner, filter)) {
    turn.refuse(session, correlation, error->code, error->text, error->field);
    return;
  }
  Snap snap;
  snap.epoch = state.epoch;
  snap.seq = state.last_lsn.value();
  snap.oldest_seq = state.event_log.floor().value();
  Page page(state, filter, snap);
  if (filter.workflow) {
    list_workflow(state, filter, snapshot.cursor, page, snap);
  } else if (filter.tasks.empty()) {
    list_all(state, snapshot.cursor, page, snap);
  } else {
    for (const TaskId& id : filter.tasks) {
      const TaskSlot slot = state.tasks.find(id);
      if (slot.value() != kNoSlot) page.put(slot);
    }
  }
  turn.send(session, correlation, std::move(snap));
}

}  // namespace taskpipe::broker
