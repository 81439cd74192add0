// The changes of state of the recent past, for whoever was late or away: a ring of compact entries,
// filled from the records as they are folded, also while the journal is replayed.
//
// Every change of a task's state is one entry: submitted, started, given back, ended. Both the PUB
// channel and the watches (watch.cpp) read from here, each with a cursor, so that what is replayed
// is what was published, and a reader that is slow costs nothing but its cursor. An entry tells
// only what its record says: progress is not here.
//
// Memory: chunks of a fixed number of runs, each with the names and texts that its entries need,
// so that the oldest can be given up as a whole and used again; nothing is allocated per entry. All
// of it is bounded by the retention, given in bytes. A run takes 56 bytes, and a few more where a
// reason is given. It is one entry, or many that one record made alike of consecutive ids: the
// tasks of a batch that was submitted take no more than one of them alone. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/core/task_table.hpp"
#include "common/model/limits.hpp"
#include "common/model/messages.hpp"

namespace taskpipe::broker {

// What the tasks of a batch have in common.
struct ChangeLabel {
  std::string tool;
  std::string script;
  OwnerIndex owner;
  std::optional<WorkflowId> workflow;
  std::uint32_t tool_number = 0;  // of the log's own list of tools
};

// A change, as it is put in: views, valid during the call.
struct Change {
  TaskId id;
  Lsn lsn;
  WallTime at;
  TaskState state = TaskState::pending;
  FailureClass failure = FailureClass::none;
  Attempt attempt;
  std::string_view tool;
  std::string_view script;
  OwnerIndex owner;
  WorkerSlot worker{kNoSlot};
  std::string_view worker_name;
  std::string_view reason;
  std::optional<WorkflowEvent> workflow;  // counts once the change is made; 0 of 0 = not counted
};

class EventLog {
 public:
  struct Cursor {
    std::uint64_t chunk = 0;  // number of the chunk, counted from the first ever
    std::uint32_t entry = 0;  // counted from the chunk's first
    std::uint32_t run = 0;    // where it was found last: the next is most often there or behind it
  };
  // One entry, as a reader sees it; valid until the next append.
  struct View {
    Lsn lsn;
    TaskId id;
    const ChangeLabel* label = nullptr;
    std::uint32_t label_number = 0;  // equal labels of one chunk mostly have one number
  };
  struct ToolPosition {
    std::string tool;
    Lsn last;  // of its newest change
  };

  explicit EventLog(std::uint64_t retention_bytes = limits::kEventRetentionBytes);

  // In the order of the records.
  void append(const Change& change);
  // Something happened at `lsn` that cannot be told: the log is complete only after it.
  void uncovered(Lsn lsn);

  // Complete for everything after this number.
  [[nodiscard]] Lsn floor() const { return floor_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t entries() const { return entries_; }

  // Of the first entry after `lsn`, which must not be below the floor. O(log entries).
  [[nodiscard]] Cursor after(Lsn lsn) const;
  [[nodiscard]] Cursor end() const;
  // Whether entries that the cursor has not passed were given up.
  [[nodiscard]] bool overtaken(const Cursor& cursor) const { return cursor.chunk < first_chunk_; }

  // The entry at the cursor; nothing at the end. The cursor must not be overtaken.
  [[nodiscard]] std::optional<View> at(Cursor& cursor) const;
  // The whole of it: what the PUB channel and EVENTS say.
  [[nodiscard]] TaskEvent event(const Cursor& cursor) const;
  // The counts of its workflow as of this change, where it has some.
  [[nodiscard]] std::optional<WorkflowEvent> workflow(const Cursor& cursor) const;

  // Every tool that the log knows of, by the time of its first change.
  [[nodiscard]] const std::vector<ToolPosition>& tools() const { return tools_; }

 private:
  // Entries that differ only by their ids, of which each is one more than the one before.
  struct Run {
    TaskId id;  // of the first
    Lsn lsn;
    WallTime at;
    std::uint32_t first = 0;  // number of the first, in the chunk
    Attempt attempt;
    std::uint32_t text = 0;    // where the reason begins in Chunk::texts
    std::uint16_t label = 0;   // these three are no more than the chunk's runs
    std::uint16_t worker = 0;  // index into Chunk::workers, from 1; 0 = none
    std::uint16_t counts = 0;  // index into Chunk::counts, from 1; 0 = none
    std::uint16_t text_bytes = 0;
    TaskState state = TaskState::pending;
    FailureClass failure = FailureClass::none;
  };
  struct Counts {
    std::uint32_t total = 0;
    std::uint32_t ended = 0;
    std::uint32_t succeeded = 0;
  };
  struct Chunk {
    std::vector<Run> runs;
    std::uint32_t entries = 0;  // of all runs
    std::vector<ChangeLabel> labels;
    std::vector<std::string> workers;  // names
    std::vector<Counts> counts;
    std::string texts;
    std::uint64_t bytes = 0;
  };
  // Where a worker's name stands in the newest chunk.
  struct WorkerMark {
    std::uint64_t chunk = 0;
    std::uint32_t index = 0;
  };

  // Whether the change is the next entry of the newest run.
  [[nodiscard]] bool goes_on(const Change& change) const;
  Chunk& open_chunk();
  void give_up_oldest();
  std::uint32_t label_of(Chunk& chunk, const Change& change);
  std::uint32_t worker_of(Chunk& chunk, const Change& change);
  std::uint32_t tool_number(std::string_view tool);
  void grow(Chunk& chunk, std::uint64_t bytes);
  [[nodiscard]] const Chunk& chunk_at(const Cursor& cursor) const;
  // The number of the run that holds an entry of the chunk; `near` is tried first.
  static std::uint32_t run_of(const Chunk& chunk, std::uint32_t entry, std::uint32_t near);

  std::uint64_t retention_bytes_;
  std::size_t chunk_runs_;
  std::deque<std::unique_ptr<Chunk>> chunks_;
  std::unique_ptr<Chunk> spare_;  // of the last one that was given up
  std::uint64_t first_chunk_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t entries_ = 0;
  Lsn floor_;
  std::vector<WorkerMark> worker_marks_;  // by worker slot
  std::vector<ToolPosition> tools_;
  std::unordered_map<std::string, std::uint32_t> tool_numbers_;
};

}  // namespace taskpipe::broker
